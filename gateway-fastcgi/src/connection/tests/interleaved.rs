//! The worker machine with several requests at a time, against a model that has never heard of records.
//!
//! Each lane is one id, with one request after the other. Records of all lanes come in any order between each other, cut
//! anywhere; what comes out for each id is what came in for that id.

use super::*;
use crate::protocol::{Pair, ProtocolStatus, RequestId};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

/// Requests at a time: fewer than lanes, so that some are refused.
const MOST: usize = 3;

const MOST_LANES: usize = 5;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Where a gateway gives up a request, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Abort {
    Never,
    InParams,
    InBody { and_goes_on: bool },
}

#[derive(Debug, Clone)]
struct Planned {
    pairs: Pairs,
    body: Vec<u8>,
    piece: usize,
    abort: Abort,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// The pairs and the body that were told, which is also the answer.
    Answered(Pairs, Vec<u8>),
    AbortedUntold,
    Aborted(Pairs),
    Refused,
}

fn planned() -> impl Strategy<Value = Planned> {
    let pair = (vec(any::<u8>(), 1..20), vec(any::<u8>(), 0..200));
    let abort = prop_oneof![
        4 => Just(Abort::Never),
        1 => Just(Abort::InParams),
        1 => any::<bool>().prop_map(|and_goes_on| Abort::InBody { and_goes_on }),
    ];
    (vec(pair, 0..4), vec(any::<u8>(), 0..600), 1_usize..300, abort).prop_map(|(pairs, body, piece, abort)| Planned {
        pairs,
        body,
        piece,
        abort,
    })
}

/// One record, and what the model makes of it.
enum Sent {
    Begin,
    Params,
    ParamsEnd,
    Abort,
    Body,
    BodyEnd,
}

impl Planned {
    fn records(&self, id: u16) -> Vec<(Sent, Vec<u8>)> {
        let padding = u8::try_from(self.piece % 9).unwrap();
        let mut list = Vec::new();
        self.pairs.iter().for_each(|(name, value)| Pair::new(name, value).unwrap().encode(&mut list));
        let abort = || (Sent::Abort, record(RecordType::ABORT_REQUEST, id, b"", 0));
        let mut all = vec![(Sent::Begin, begin(id, Role::RESPONDER, true))];
        for piece in list.chunks(self.piece) {
            all.push((Sent::Params, record(RecordType::PARAMS, id, piece, padding)));
        }
        if self.abort == Abort::InParams {
            all.push(abort());
            return all;
        }
        all.push((Sent::ParamsEnd, record(RecordType::PARAMS, id, b"", 0)));
        let (early, late) = self.body.split_at(self.body.len() / 2);
        let body = |part: &[u8]| {
            let pieces = part.chunks(self.piece);
            pieces.map(|piece| (Sent::Body, record(RecordType::STDIN, id, piece, padding))).collect::<Vec<_>>()
        };
        all.extend(body(early));
        if let Abort::InBody { and_goes_on } = self.abort {
            all.push(abort());
            if !and_goes_on {
                return all;
            }
        }
        all.extend(body(late));
        all.push((Sent::BodyEnd, record(RecordType::STDIN, id, b"", 0)));
        all
    }
}

/// Lays the lanes side by side in an order of chance. Returns the bytes and what must become of each request.
fn interleave(lanes: &[Vec<Planned>], order: &[u8]) -> (Vec<u8>, BTreeMap<u16, Vec<Fate>>) {
    let mut waiting: Vec<(u16, VecDeque<_>)> = Vec::new();
    for (id, lane) in (1..).zip(lanes) {
        waiting.push((id, lane.iter().flat_map(|plan| plan.records(id).into_iter().map(move |r| (plan, r))).collect()));
    }
    let (mut wire, mut fates) = (Vec::new(), BTreeMap::<u16, Vec<Fate>>::new());
    // The open ids, and whether their parameters are complete.
    let mut open = BTreeMap::new();
    for pick in order.iter().cycle() {
        waiting.retain(|(_, records)| !records.is_empty());
        if waiting.is_empty() {
            break;
        }
        let at = usize::from(*pick) % waiting.len();
        let (id, records) = &mut waiting[at];
        let (plan, (sent, bytes)) = records.pop_front().unwrap();
        wire.extend(bytes);
        let fate = fates.entry(*id).or_default();
        match sent {
            Sent::Begin if open.len() < MOST => drop(open.insert(*id, false)),
            Sent::Begin => fate.push(Fate::Refused),
            Sent::ParamsEnd => drop(open.get_mut(id).map(|told| *told = true)),
            Sent::Abort => fate.extend(open.remove(id).map(|told| match told {
                true => Fate::Aborted(plan.pairs.clone()),
                false => Fate::AbortedUntold,
            })),
            Sent::BodyEnd => {
                fate.extend(open.remove(id).map(|_| Fate::Answered(plan.pairs.clone(), plan.body.clone())));
            }
            Sent::Params | Sent::Body => {}
        }
    }
    (wire, fates)
}

/// Feeds the machine, answers each request with its own body, and returns what was told and what was written.
fn run(wire: &[u8], cuts: &[usize]) -> (BTreeMap<u16, Vec<Fate>>, Vec<u8>) {
    let own = Capabilities { max_connections: 1, max_requests: 3, multiplexes: true };
    let mut worker = WorkerConnection::new(Limits::default().max_requests(MOST), own);
    let (mut told, mut written) = (BTreeMap::<u16, Vec<Fate>>::new(), Vec::new());
    let mut open: BTreeMap<u16, (Pairs, Vec<u8>)> = BTreeMap::new();
    for piece in pieces(wire, cuts) {
        worker.receive(piece);
        while let Some(event) = worker.next_event().unwrap() {
            match event {
                WorkerEvent::Request(request) => {
                    let pairs = request.params.iter().map(|pair| (pair.name().to_vec(), pair.value().to_vec()));
                    let before = open.insert(request.id.get(), (pairs.collect(), Vec::new()));
                    assert!(before.is_none(), "told twice");
                }
                WorkerEvent::Stdin { id, data } => open.get_mut(&id.get()).unwrap().1.extend_from_slice(&data),
                WorkerEvent::StdinEnd(id) => {
                    let (pairs, body) = open.remove(&id.get()).unwrap();
                    worker.send_stdout(id, body.clone().into()).unwrap();
                    worker.send_end(id, 0).unwrap();
                    told.entry(id.get()).or_default().push(Fate::Answered(pairs, body));
                }
                WorkerEvent::Abort(id) => {
                    worker.send_end(id, 0).unwrap();
                    told.entry(id.get()).or_default().push(Fate::Aborted(open.remove(&id.get()).unwrap().0));
                }
                other => panic!("{other:?}"),
            }
            assert!(worker.open_requests() <= MOST);
        }
        written.extend(taken(worker.output()));
    }
    assert_eq!((worker.open_requests(), open.len()), (0, 0), "something is left");
    (told, written)
}

/// What a gateway reads: for each id the outputs of its requests, and how they ended.
fn read(written: &[u8]) -> BTreeMap<u16, Vec<(Vec<u8>, ProtocolStatus)>> {
    let (mut all, mut output) = (BTreeMap::<u16, Vec<_>>::new(), BTreeMap::<u16, Vec<u8>>::new());
    for (header, content) in records(written) {
        assert!(RequestId::new(header.id).is_some(), "nobody asked for a management record");
        match header.kind {
            RecordType::STDOUT => output.entry(header.id).or_default().extend(content),
            RecordType::END_REQUEST => {
                let end = EndRequest::decode(&content).unwrap();
                let output = output.remove(&header.id).unwrap_or_default();
                all.entry(header.id).or_default().push((output, end.protocol_status));
            }
            kind => panic!("{kind}"),
        }
    }
    all
}

proptest! {
    #[test]
    fn fcgi_26_28_79_what_comes_out_for_each_id_is_what_came_in_for_it(
        lanes in vec(vec(planned(), 0..4), 1..=MOST_LANES),
        order in vec(any::<u8>(), 1..60),
        seeds in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (wire, fates) = interleave(&lanes, &order);
        let mut cuts: Vec<usize> = seeds.iter().map(|seed| seed.index(wire.len() + 1)).collect();
        cuts.sort_unstable();
        let everywhere: Vec<usize> = (1..wire.len()).collect();
        for cuts in [&[][..], &cuts, &everywhere] {
            let (told, written) = run(&wire, cuts);
            let read = read(&written);
            for (id, fates) in &fates {
                let untold = |fate: &&Fate| !matches!(fate, Fate::Refused | Fate::AbortedUntold);
                let known: Vec<_> = fates.iter().filter(untold).cloned().collect();
                prop_assert_eq!(told.get(id).cloned().unwrap_or_default(), known);
                let ends: Vec<_> = fates.iter().map(|fate| match fate {
                    Fate::Answered(_, body) => (body.clone(), ProtocolStatus::REQUEST_COMPLETE),
                    Fate::Refused => (Vec::new(), ProtocolStatus::OVERLOADED),
                    Fate::Aborted(_) | Fate::AbortedUntold => (Vec::new(), ProtocolStatus::REQUEST_COMPLETE),
                }).collect();
                prop_assert_eq!(read.get(id).cloned().unwrap_or_default(), ends);
            }
        }
    }
}
