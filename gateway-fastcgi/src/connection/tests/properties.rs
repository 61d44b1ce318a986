//! What holds for all inputs.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const ALL_ROLES: &[Role] = &[Role::RESPONDER, Role::AUTHORIZER, Role::FILTER];

/// Small enough for random input to reach.
fn limits() -> Limits {
    Limits::default().max_params_bytes(500).max_name_bytes(40).max_value_bytes(200)
}

fn worker() -> WorkerConnection {
    WorkerConnection::new(limits(), OWN).with_roles(ALL_ROLES)
}

/// Records that are likely to mean something, in any order.
fn any_record() -> impl Strategy<Value = Vec<u8>> {
    let likely = (0_u8..13, 0_u16..3, vec(any::<u8>(), 0..60), any::<u8>());
    let begin = (1_u16..3, 1_u16..5, any::<bool>());
    prop_oneof![
        likely.prop_map(|(kind, id, content, padding)| record(RecordType(kind), id, &content, padding)),
        (1_u16..3, 4_u8..9).prop_map(|(id, kind)| record(RecordType(kind), id, b"", 0)),
        (1_u16..3).prop_map(|id| record(RecordType::PARAMS, id, b"\x01\x01Ab", 0)),
        begin.prop_map(|(id, role, keep)| super::begin(id, Role(role), keep)),
    ]
}

fn any_wire() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any_record(), 0..12).prop_map(|records| records.concat()), vec(any::<u8>(), 0..200)]
}

fn cut_points(length: usize, seeds: &[prop::sample::Index]) -> Vec<usize> {
    let mut cuts: Vec<usize> = seeds.iter().map(|seed| seed.index(length + 1)).collect();
    cuts.sort_unstable();
    cuts
}

proptest! {
    #[test]
    fn fcgi_26_no_cut_changes_what_a_worker_is_told(wire in any_wire(), seeds in vec(any::<prop::sample::Index>(), 0..9)) {
        let mut whole = worker();
        let mut cut = worker();
        let cuts = cut_points(wire.len(), &seeds);
        let told = (drive_worker(&mut whole, &wire, &[]), taken(whole.output()));
        prop_assert_eq!(&told, &(drive_worker(&mut cut, &wire, &cuts), taken(cut.output())));
        let mut shared = worker();
        prop_assert_eq!(&told, &(drive_worker_shared(&mut shared, &wire, &cuts), taken(shared.output())));
    }

    #[test]
    fn fcgi_26_no_cut_changes_what_a_client_is_told(wire in any_wire(), seeds in vec(any::<prop::sample::Index>(), 0..9)) {
        let asked = || {
            let mut client = ClientConnection::new();
            client.send_request(BeginRequest { role: Role::RESPONDER, keep_connection: true }, []).unwrap();
            client
        };
        let cuts = cut_points(wire.len(), &seeds);
        prop_assert_eq!(drive_client(&mut asked(), &wire, &[]), drive_client(&mut asked(), &wire, &cuts));
    }

    #[test]
    fn fcgi_136_memory_stays_within_the_limits(wire in any_wire()) {
        let mut worker = worker();
        let mut answered = 0;
        for (at, byte) in wire.iter().enumerate() {
            worker.receive(&[*byte]);
            while let Ok(Some(_)) = worker.next_event() {}
            // A body of fixed use is at most one record, parameters are limited by name.
            let fixed_use = 70;
            prop_assert!(worker.retained_bytes() <= 500 + fixed_use);
            answered += taken(worker.output()).len();
            prop_assert!(answered <= 2 * (at + 1), "answers outgrow the questions");
        }
    }

    #[test]
    fn what_a_client_sends_a_worker_is_told(
        pairs in vec((vec(1_u8..255, 1..40), vec(1_u8..255, 0..200)), 0..4),
        body in vec(any::<u8>(), 0..5000),
        keep: bool,
        seeds in vec(any::<prop::sample::Index>(), 0..9),
    ) {
        let mut client = ClientConnection::new();
        let begin = BeginRequest { role: Role::RESPONDER, keep_connection: keep };
        let id = client.send_request(begin, pairs.iter().map(|(name, value)| (&name[..], &value[..]))).unwrap();
        client.send_stdin(id, body.clone().into()).unwrap();
        client.end_stdin(id).unwrap();
        let wire = taken(client.output());
        let mut worker = WorkerConnection::new(limits().max_params_bytes(2000), OWN);
        let (events, error) = drive_worker(&mut worker, &wire, &cut_points(wire.len(), &seeds));
        prop_assert_eq!(error, None);
        let Some(WorkerEvent::Request(request)) = events.first() else { panic!("no request") };
        let told: Vec<_> = request.params.iter().map(|pair| (pair.name().to_vec(), pair.value().to_vec())).collect();
        prop_assert_eq!(told, pairs);
        let told: Vec<u8> = events.iter().filter_map(|event| match event {
            WorkerEvent::Stdin { data, .. } => Some(data.to_vec()),
            _ => None,
        }).flatten().collect();
        prop_assert_eq!(&told, &body);
        prop_assert!(worker.is_input_complete(id));

        // And back.
        worker.send_stdout(id, body.clone().into()).unwrap();
        worker.send_end(id, 0).unwrap();
        let wire = taken(worker.output());
        let (events, error) = drive_client(&mut client, &wire, &cut_points(wire.len(), &seeds));
        prop_assert_eq!(error, None);
        let told: Vec<u8> = events.iter().filter_map(|event| match event {
            ClientEvent::Stdout { data, .. } => Some(data.to_vec()),
            _ => None,
        }).flatten().collect();
        prop_assert_eq!(told, body);
        prop_assert_eq!(client.is_reusable(), keep);
    }

    #[test]
    fn several_requests_on_one_connection_each_get_their_own_answer(
        answers in vec(vec(vec(any::<u8>(), 1..90), 0..6), 1..6),
        order in vec(any::<prop::sample::Index>(), 0..60),
        seeds in vec(any::<prop::sample::Index>(), 0..9),
    ) {
        let count = u16::try_from(answers.len()).unwrap();
        let mut client = ClientConnection::multiplexing(count);
        for _ in 0..count {
            let begin = BeginRequest { role: Role::RESPONDER, keep_connection: true };
            let id = client.send_request(begin, []).unwrap();
            client.end_stdin(id).unwrap();
        }
        // Each answer's records in their order, those of different answers in any.
        let mut queues: Vec<(u16, std::collections::VecDeque<Vec<u8>>)> = (1_u16..)
            .zip(&answers)
            .map(|(id, pieces)| {
                let output = pieces.iter().map(|piece| record(RecordType::STDOUT, id, piece, 5));
                (id, output.chain([end(id, EndRequest::COMPLETE)]).collect())
            })
            .collect();
        let mut wire = Vec::new();
        let mut order = order.iter();
        while !queues.is_empty() {
            let at = order.next().map_or(0, |index| index.index(queues.len()));
            wire.extend(queues[at].1.pop_front().unwrap());
            queues.retain(|(_, queue)| !queue.is_empty());
        }
        let (events, error) = drive_client(&mut client, &wire, &cut_points(wire.len(), &seeds));
        prop_assert_eq!(error, None);
        let mut got = vec![Vec::new(); answers.len()];
        let mut ended = 0;
        for event in events {
            match event {
                ClientEvent::Stdout { id, data } => got[usize::from(id.get()) - 1].extend_from_slice(&data),
                ClientEvent::End { .. } => ended += 1,
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert_eq!(got, answers.iter().map(|pieces| pieces.concat()).collect::<Vec<_>>());
        prop_assert_eq!(ended, answers.len());
        prop_assert!(client.is_reusable());
        prop_assert_eq!(client.retained_bytes(), 0);
    }

    #[test]
    fn output_is_the_same_however_the_socket_takes_it(
        sizes in vec(0_usize..6000, 1..6),
        steps in vec(1_usize..4000, 1..40),
    ) {
        let filled = || {
            let mut out = Outgoing::default();
            for (n, size) in sizes.iter().enumerate() {
                let data = vec![u8::try_from(n).unwrap(); *size];
                out.stream(RecordType::STDOUT, crate::protocol::RequestId::ONE, data.into());
            }
            out
        };
        let whole = taken(&mut filled());
        let mut out = filled();
        prop_assert_eq!(out.remaining(), whole.len());
        let mut got = Vec::new();
        for step in steps.iter().cycle() {
            if !out.has_remaining() {
                break;
            }
            let take = out.chunk().len().min(*step);
            got.extend_from_slice(&out.chunk()[..take]);
            out.advance(take);
        }
        prop_assert!(got == whole);
    }
}
