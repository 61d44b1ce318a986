//! Mistakes that only show when everything is known: in the file system, and between mounts.
//!
//! Holds the looking. What is right when we look may be wrong a moment later, so nothing here is a promise: it is there
//! to tell an operator at once what a client would find out later.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gateway_cgi::host::Confinement;
use gateway_fastcgi::net::{Address, SocketSource};

use super::access::LogTo;
use super::listen;
use super::mistake::{Mistake, Place};
use super::options::{CgiOptions, FastCgiOptions, FileOptions, PhpOptions};
use super::privileges::{Identity, PrivilegeError};
use super::rules::Problem;
use super::settings::{Mount, Settings};
use super::target::Target;

/// All mistakes that can be seen.
pub(super) fn look(settings: &Settings) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for listen in &settings.listen {
        if let SocketSource::Address(Address::Unix(path)) = &listen.socket {
            let problem = folder_of(path).err();
            mistakes.extend(problem.map(|problem| Mistake { place: listen.place.clone(), problem }));
        }
    }
    let place = |field: &str| settings.place(field);
    if let Some(LogTo::File(path)) = &settings.access.log {
        let problem = writable_file(path).err();
        mistakes.extend(problem.map(|problem| Mistake { place: place("access.file"), problem }));
    }
    if let Some(address) = settings.admin.as_ref().filter(|address| address.is_open_to_others() && !settings.admin_open)
    {
        let why = "other machines may reach it, and it tells them everything; take 127.0.0.1 or unix:PATH, or say --admin-open (admin_open = true)";
        mistakes.push(Mistake { place: place("admin"), problem: Problem::refused(address, why) });
    }
    if let Err(error) = Identity::of(settings.user.as_deref(), settings.group.as_deref()) {
        let (field, given) = match (&settings.user, &settings.group, &error) {
            (_, Some(group), PrivilegeError::NoGroup(_) | PrivilegeError::NoUserForGroup) => ("group", group.as_str()),
            (user, ..) => ("user", user.as_deref().unwrap_or_default()),
        };
        mistakes.push(Mistake { place: place(field), problem: Problem::refused(given, error) });
    }
    mistakes.extend(listen::look(settings));
    for (at, mount) in settings.mounts.iter().enumerate() {
        if let Some(first) = settings.mounts.iter().take(at).find(|first| first.prefix == mount.prefix) {
            let problem = Problem::Twice { first: first.prefix_place.to_string() };
            mistakes.push(Mistake { place: mount.prefix_place.clone(), problem });
        }
        mistakes.extend(target(mount));
        mistakes.extend(another_user(settings, mount));
    }
    mistakes
}

/// Programs that are to run as another user, under a server that gives up the right to make them so.
fn another_user(settings: &Settings, mount: &Mount) -> Option<Mistake> {
    let wanted = match &mount.target {
        Target::Cgi(_, options) => options.user.as_ref(),
        Target::Spawn(_, options) => options.pool.user.as_ref(),
        _ => None,
    };
    let (server, wanted) = (settings.user.as_deref()?, wanted?);
    if Identity::of(Some(server), None).is_ok_and(|server| server.is_some_and(|server| server.is_root())) {
        return None;
    }
    let why = format!("the server becomes {server} and cannot make programs run as anybody else then");
    Some(Mistake { place: mount.target_place.inside("user"), problem: Problem::refused(wanted, why) })
}

/// The mistakes of one mount.
pub(super) fn target(mount: &Mount) -> Vec<Mistake> {
    let place = &mount.target_place;
    let inside = |name: &str| place.inside(name);
    let mut looks: Vec<(Place, Result<(), Problem>)> = Vec::new();
    if let Some(Address::Unix(path)) = &mount.target.guard().authorizer {
        looks.push((inside("authorizer"), socket(path)));
    }
    if let (None, Some(_)) = (&mount.target.guard().authorizer, mount.target.guard().authorizer_timeout) {
        let alone = Problem::Missing { allowed: "an authorizer, without which its time means nothing" };
        looks.push((inside("authorizer"), Err(alone)));
    }
    match &mount.target {
        Target::App(..) => {}
        Target::Cgi(path, options) => {
            looks.push((place.clone(), program_or_folder(path, options)));
            looks.extend(options.interpreters.iter().filter_map(|(extension, words)| {
                Some((inside(&format!("interpreter.{extension}")), command(words.first()?, None)))
            }));
            looks.extend(options.root.as_deref().map(|root| (inside("root"), folder(root))));
            looks.extend(options.directory.as_deref().map(|path| (inside("directory"), folder(path))));
            looks.extend(named_files(place, &options.files));
            looks.extend(options.writable.iter().map(|path| (inside("writable"), metadata(path).map(drop))));
            looks.extend(identity(place, options.user.as_deref(), options.group.as_deref()));
            if let (false, Some(path)) = (options.read_only, options.writable.first()) {
                let alone = Problem::refused(path.display(), "means something together with read_only only");
                looks.push((inside("writable"), Err(alone)));
            }
        }
        Target::FastCgi(addresses, options) => {
            let paths = addresses.iter().filter_map(Address::unix_path);
            looks.extend(paths.map(|path| (place.clone(), socket(path))));
            looks.extend(client(place, options));
        }
        Target::Spawn(words, options) => {
            let folder_of_workers = options.pool.directory.as_deref();
            looks.extend(words.first().map(|name| (place.clone(), command(name, folder_of_workers))));
            looks.extend(folder_of_workers.map(|path| (inside("directory"), folder(path))));
            looks.extend(options.pool.misfits().map(|(key, problem)| (inside(key), Err(problem))));
            looks.extend(identity(place, options.pool.user.as_deref(), options.pool.group.as_deref()));
            looks.extend(client(place, &options.client));
        }
        Target::Php(addresses, options) => {
            let paths = addresses.iter().filter_map(Address::unix_path);
            looks.extend(paths.map(|path| (place.clone(), socket(path))));
            looks.extend(php(place, options));
        }
        Target::Http(upstream, options) => {
            looks.extend(upstream.address().unix_path().map(|path| (place.clone(), socket(path))));
            looks.extend(named_files(place, &options.files));
        }
        Target::Static(path, _) => looks.push((place.clone(), folder(path))),
    }
    let mistake = |(place, found): (Place, Result<(), Problem>)| Some(Mistake { place, problem: found.err()? });
    looks.into_iter().filter_map(mistake).collect()
}

/// The user and the group of programs: whether they are there, not whether this process may become them.
fn identity(place: &Place, user: Option<&str>, group: Option<&str>) -> Option<(Place, Result<(), Problem>)> {
    let refused = |key: &str, name: &str, why: &dyn std::fmt::Display| {
        Some((place.inside(key), Err(Problem::refused(name, why))))
    };
    let known = match (user, group) {
        (None, None) => return None,
        (None, Some(group)) => return refused("group", group, &"means something together with user only"),
        (Some(user), _) => match Confinement::new().user(user) {
            Err(error) => return refused("user", user, &error),
            Ok(known) => known,
        },
    };
    let group = group?;
    known.group(group).err().and_then(|error| refused("group", group, &error))
}

fn client(place: &Place, options: &FastCgiOptions) -> Vec<(Place, Result<(), Problem>)> {
    let mut looks = Vec::new();
    looks.extend(options.root.as_deref().map(|root| (place.inside("root"), folder(root))));
    looks.extend(named_files(place, &options.files));
    if options.root.is_none() {
        let without_root = |what: &str| Err(Problem::refused(what, "means something together with root only"));
        looks.extend(options.index.as_deref().map(|index| (place.inside("index"), without_root(index))));
        looks.extend(options.suffixes.first().map(|suffix| (place.inside("split"), without_root(suffix))));
    } else if let Some(script) = &options.script {
        let both = "root and script exclude each other: root finds a script for each path, script answers all paths";
        looks.push((place.inside("script"), Err(Problem::refused(script.display(), both))));
    }
    looks
}

/// The folders of files that programs may name.
fn named_files<'a>(
    place: &Place,
    files: &'a FileOptions,
) -> impl Iterator<Item = (Place, Result<(), Problem>)> + use<'a> {
    let (of_sendfile, of_accel) = (place.inside("sendfile"), place.inside("accel"));
    let sendfile = files.sendfile.iter().map(move |root| (of_sendfile.clone(), folder(root)));
    sendfile.chain(files.accel.iter().map(move |(_, root)| (of_accel.clone(), folder(root))))
}

/// What a PHP site has beside its client's options: a root, and perhaps a fallback in it.
fn php(place: &Place, options: &PhpOptions) -> Vec<(Place, Result<(), Problem>)> {
    let Some(root) = &options.client.root else {
        let missing = Problem::Missing { allowed: "the folder of the site, such as root=/srv/www" };
        return vec![(place.inside("root"), Err(missing))];
    };
    let mut looks = client(place, &options.client);
    if let Some(fallback) = &options.fallback {
        let file = root.join(fallback.trim_start_matches('/'));
        let found = metadata(&file).and_then(|found| match found.is_file() {
            true => Ok(()),
            false => Err(Problem::refused(file.display(), "is no file")),
        });
        looks.push((place.inside("fallback"), found));
    }
    looks
}

fn folder(path: &Path) -> Result<(), Problem> {
    let found = metadata(path)?;
    if found.is_dir() { Ok(()) } else { Err(Problem::refused(path.display(), "is no folder")) }
}

fn program_or_folder(path: &Path, options: &CgiOptions) -> Result<(), Problem> {
    let found = metadata(path)?;
    if found.is_dir() {
        return Ok(());
    }
    if !found.is_file() {
        return Err(Problem::refused(path.display(), "is neither a file nor a folder"));
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    if options.interpreters.iter().any(|(known, _)| Some(known.as_str()) == extension) {
        return Ok(());
    }
    executable(path, &found)
}

fn executable(path: &Path, found: &std::fs::Metadata) -> Result<(), Problem> {
    const ANYBODY: u32 = 0o111;
    if found.permissions().mode() & ANYBODY == 0 {
        return Err(Problem::refused(path.display(), "is not executable; chmod +x makes it so"));
    }
    Ok(())
}

/// A command as it will be looked for: in PATH if its name is a single word.
fn command(name: &str, folder: Option<&Path>) -> Result<(), Problem> {
    if name.contains('/') {
        let path = folder.map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
        let found = metadata(&path)?;
        return if found.is_file() { executable(&path, &found) } else { Err(Problem::refused(name, "is no file")) };
    }
    let is_program = |folder: PathBuf| {
        let path = folder.join(name);
        path.metadata().is_ok_and(|found| found.is_file() && executable(&path, &found).is_ok())
    };
    let search = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&search).any(is_program) {
        return Ok(());
    }
    Err(Problem::refused(name, "no such program in PATH"))
}

/// A socket that somebody listens on, or will: workers may be started after us.
fn socket(path: &Path) -> Result<(), Problem> {
    match path.metadata() {
        Ok(found) if !found.file_type().is_socket() => Err(Problem::refused(path.display(), "is no socket")),
        Ok(_) => Ok(()),
        Err(_) => folder_of(path),
    }
}

/// A file that is there or can be made. Whether this user may write to it shows when it is opened.
fn writable_file(path: &Path) -> Result<(), Problem> {
    match path.metadata() {
        Ok(found) if found.is_dir() => Err(Problem::refused(path.display(), "is a folder; name a file in it")),
        Ok(_) => Ok(()),
        Err(_) => folder_of(path),
    }
}

fn folder_of(path: &Path) -> Result<(), Problem> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if parent.is_dir() {
        return Ok(());
    }
    Err(Problem::refused(path.display(), format!("the folder {} is missing", parent.display())))
}

fn metadata(path: &Path) -> Result<std::fs::Metadata, Problem> {
    path.metadata().map_err(|error| Problem::not_had(path, &error))
}
