//! From clone to exec on Linux: the child shares the gateway's memory until it has become the program.
//!
//! Holds the system calls of the child, and why each may be made there. `CLONE_VM | CLONE_VFORK` is what `posix_spawn` is
//! made of: no page table is copied, so a start costs the same whatever memory the gateway has. `posix_spawn` itself cannot
//! set a user, a limit or a Landlock domain, and the standard library falls back to fork for those.
//!
//! The rules for the child: it may not allocate, lock, panic or return, since what it would leave behind is the
//! gateway's own memory. It makes system calls and writes one error, nothing else.

use std::ffi::{c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::process::{Pid, WaitOptions, waitpid};

use super::super::confine::Confinement;
use super::{Ends, Program, SpawnError, Started, Step};

/// Room for the child's few frames. It lies in the frame of the gateway's thread, which the kernel keeps asleep until the
/// child has become the program.
const STACK: usize = 32 * 1024;

/// Most descriptors that a program is given: the standard ones, and a control channel.
const MOST_GIVEN: usize = 4;

/// Signals have the numbers from 1 to 64.
const SIGNALS: usize = 64;

#[repr(align(16))]
struct Stack(MaybeUninit<[u8; STACK]>);

/// All that the child needs, made before it exists.
struct Plan<'a> {
    path: *const c_char,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    directory: *const c_char,
    descriptors: &'a [RawFd],
    parent: Option<Pid>,
    confinement: &'a Confinement,
    /// What the child could not do, and the error number.
    failed: Option<(Step, c_int)>,
}

/// Starts `program` in a process group of its own, with `ends` as its only descriptors, every signal as the system sets
/// it, and confined. Returns when it is executed, or when that has failed.
pub(in super::super) fn start(
    program: &Program,
    ends: &Ends<'_>,
    confinement: &Confinement,
) -> Result<Started, SpawnError> {
    program.valid()?;
    // `dup2` onto itself would leave a descriptor marked to be closed, and one below 3 could be overwritten before it is
    // used. Only a gateway that was started without standard descriptors has such.
    let given = [Some(ends.stdin), Some(ends.stdout), Some(ends.stderr), ends.control];
    let mut moved: Vec<OwnedFd> = Vec::new();
    let mut descriptors = Vec::with_capacity(MOST_GIVEN);
    for end in given.into_iter().flatten() {
        let other = above_given(end)?;
        descriptors.push(other.as_ref().map_or(end.as_raw_fd(), AsRawFd::as_raw_fd));
        moved.extend(other);
    }
    let (arguments, environment) = (program.arguments.addresses(), program.environment.addresses());
    let mut plan = Plan {
        path: program.path.first().as_ptr().cast(),
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        directory: program.directory.as_ref().map_or(std::ptr::null(), |block| block.first().as_ptr().cast()),
        descriptors: &descriptors,
        parent: confinement.ends_with_parent.then(rustix::process::getpid),
        confinement,
        failed: None,
    };
    let (pid, pidfd) = clone_and_wait(&mut plan)?;
    match plan.failed {
        None => Ok(Started { pid, pidfd }),
        Some((step, number)) => {
            // It has ended already; nobody else knows its number yet.
            let _ = waitpid(Some(pid), WaitOptions::empty());
            Err(SpawnError { step, source: io::Error::from_raw_os_error(number) })
        }
    }
}

/// Makes sure that an ended process stays until it is reaped.
///
/// A server that was started with SIGCHLD ignored has inherited that, and the system then throws exit codes away. The
/// system's own handling takes the place of "ignore"; a handler stays, if there is one. Without one no end of a program
/// interrupts the server: the pidfd tells of it.
#[allow(unsafe_code)]
pub(in super::super) fn report_ends() {
    // SAFETY: reads what the process does with a signal into zeroes, which are valid, and writes that back with "ignore"
    // made the default and the flag gone that has the same meaning. No handler is installed.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGCHLD, std::ptr::null(), &mut action) != 0 {
            return;
        }
        if action.sa_sigaction == libc::SIG_IGN || action.sa_flags & libc::SA_NOCLDWAIT != 0 {
            if action.sa_sigaction == libc::SIG_IGN {
                action.sa_sigaction = libc::SIG_DFL;
            }
            action.sa_flags &= !libc::SA_NOCLDWAIT;
            libc::sigaction(libc::SIGCHLD, &action, std::ptr::null_mut());
        }
    }
}

/// A second descriptor above those that a program is given, if this is one of them.
fn above_given(end: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    const FIRST_FREE: RawFd = 4;
    const _: () = assert!(MOST_GIVEN == 4);
    if end.as_raw_fd() >= FIRST_FREE {
        return Ok(None);
    }
    Ok(Some(rustix::io::fcntl_dupfd_cloexec(end, FIRST_FREE)?))
}

/// Makes the child and sleeps until it has been executed or has ended.
#[allow(unsafe_code)]
fn clone_and_wait(plan: &mut Plan<'_>) -> io::Result<(Pid, Option<OwnedFd>)> {
    let mut stack = Stack(MaybeUninit::uninit());
    let mut pidfd: RawFd = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the stack grows down from its end, which is inside this frame's array or one past it and aligned by its
    // type. `child` gets a pointer to `plan`, which outlives it: CLONE_VFORK puts this thread to sleep until the child has
    // left the shared memory, by exec or by its end. All signals are blocked meanwhile, so no handler runs in the child on
    // the gateway's memory; the mask of this thread is put back whatever comes. `pidfd` is written before the child runs.
    let (pid, error) = unsafe {
        let (mut all, mut before) = (MaybeUninit::<libc::sigset_t>::uninit(), MaybeUninit::<libc::sigset_t>::uninit());
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        let top = stack.0.as_mut_ptr().cast::<u8>().add(STACK).cast::<c_void>();
        let argument = std::ptr::from_mut(plan).cast::<c_void>();
        let pid = libc::clone(child, top, flags, argument, &raw mut pidfd);
        let error = io::Error::last_os_error();
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
        (pid, error)
    };
    // Kernels before 5.2 take no notice of CLONE_PIDFD, and leave the number alone.
    // SAFETY: the kernel has just made the descriptor for us, and nobody else has its number.
    let pidfd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
    match Pid::from_raw(pid).filter(|_| pid > 0) {
        Some(pid) => Ok((pid, pidfd)),
        None => Err(error),
    }
}

/// The child. Never returns.
#[allow(unsafe_code)]
extern "C" fn child(plan: *mut c_void) -> c_int {
    // SAFETY: `clone_and_wait` passes its plan, and sleeps while this runs, so nobody else touches it.
    let plan = unsafe { &mut *plan.cast::<Plan<'_>>() };
    plan.failed = Some(become_program(plan));
    // SAFETY: ends this process without anything that the gateway has put aside for its own end.
    unsafe { libc::_exit(127) }
}

/// Does step after step; returns the one that failed.
#[allow(unsafe_code)]
fn become_program(plan: &Plan<'_>) -> (Step, c_int) {
    let confinement = plan.confinement;
    // SAFETY, of all calls below: each is a system call or a thin wrapper of one that takes no lock and allocates nothing.
    // Pointers are to what `start` keeps until this process has left the shared memory. `setresuid` and its like are made
    // without the C library, which would change all threads of the gateway.
    unsafe {
        if libc::setpgid(0, 0) != 0 {
            return failed(Step::Group);
        }
        let mut first_other: c_int = 0;
        for descriptor in plan.descriptors {
            if libc::dup2(*descriptor, first_other) < 0 {
                return failed(Step::Descriptors);
            }
            first_other += 1;
        }
        // The gateway marks what it has when it starts; this is for what a library of its opened without the mark. Kernels
        // before 5.11 do not know the call.
        libc::syscall(libc::SYS_close_range, first_other, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        if let Some(umask) = confinement.umask {
            libc::umask(umask);
        }
        for (resource, value) in &confinement.limits {
            let limit = libc::rlimit { rlim_cur: *value, rlim_max: *value };
            if libc::setrlimit(resource.number(), &limit) != 0 {
                return failed(Step::Limits);
            }
        }
        if let Some(identity) = &confinement.identity {
            let groups = identity.groups.as_slice();
            if libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) != 0 {
                return failed(Step::Groups);
            }
            if libc::syscall(libc::SYS_setresgid, identity.group, identity.group, identity.group) != 0 {
                return failed(Step::GroupId);
            }
            if libc::syscall(libc::SYS_setresuid, identity.user, identity.user, identity.user) != 0 {
                return failed(Step::UserId);
            }
        }
        if !plan.directory.is_null() && libc::chdir(plan.directory) != 0 {
            return failed(Step::Directory);
        }
        if confinement.no_new_privileges && libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
            return failed(Step::NoNewPrivileges);
        }
        if let Some(ruleset) = &confinement.ruleset
            && libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) != 0
        {
            return failed(Step::ReadOnly);
        }
        if let Some(parent) = plan.parent {
            // After the identity, whose change undoes it. A parent that has ended before has nobody to be told.
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) != 0
                || libc::getppid() != parent.as_raw_nonzero().get()
            {
                return failed(Step::EndsWithParent);
            }
        }
        reset_signals();
        libc::execve(plan.path, plan.arguments, plan.environment);
    }
    failed(Step::Exec)
}

/// Every signal does what the system does with it, and none is blocked: a gateway ignores SIGPIPE, and may have been
/// started with others ignored.
///
/// Without the C library, which keeps two signals to itself; whoever started the gateway may have ignored those, too.
#[allow(unsafe_code)]
fn reset_signals() {
    /// The kernel's set of signals is as long as there are signals; its `sigaction` is no longer than this on any system.
    const SET: usize = SIGNALS / 8;
    let zeroes = [0_u64; 16];
    // SAFETY: zeroes are a valid `sigaction`, whatever the order of its fields: the system's own handling, no flags, no
    // mask. They are also an empty set. Both are this process's own; SIGKILL and SIGSTOP cannot be set and need not be.
    unsafe {
        let (set, none) = (zeroes.as_ptr(), std::ptr::null_mut::<c_void>());
        for signal in 1..=SIGNALS {
            libc::syscall(libc::SYS_rt_sigaction, signal, set, none, SET);
        }
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, set, none, SET);
    }
}

#[allow(unsafe_code)]
fn failed(step: Step) -> (Step, c_int) {
    // SAFETY: the address of this thread's error number, which the child shares and the sleeping gateway does not read.
    (step, unsafe { *libc::__errno_location() })
}
