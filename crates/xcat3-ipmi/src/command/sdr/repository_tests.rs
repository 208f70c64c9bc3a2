//! Tests of reading repositories.

use super::super::record::tests::full;
use super::*;
use crate::command::script::Responder;

/// A repository of three records. It returns at most `max_bytes` at once and cancels the reservation before
/// the requests in `cancellations`.
struct Store {
    records: Vec<Vec<u8>>,
    max_bytes: usize,
    cancellations: Vec<usize>,
    requests: usize,
    reservation: u16,
}

impl Store {
    fn new(max_bytes: usize) -> Self {
        let records = vec![
            full(1, 0x10, "One"),
            full(2, 0x11, "Two"),
            full(3, 0x12, "Three"),
        ];
        Self {
            records,
            max_bytes,
            cancellations: Vec::new(),
            requests: 0,
            reservation: 7,
        }
    }

    fn respond(&mut self, request: &[u8]) -> Result<Vec<u8>, u8> {
        self.requests += 1;
        if self.cancellations.contains(&self.requests) {
            self.reservation += 1;
        }
        match request {
            [0x0a, 0x22] => Ok(self.reservation.to_le_bytes().to_vec()),
            [0x0a, 0x23, r, s, i, j, offset, count] => {
                if u16::from_le_bytes([*r, *s]) != self.reservation {
                    return Err(0xc5);
                }
                let index = usize::from(u16::from_le_bytes([*i, *j]).max(1)) - 1;
                let record = self.records.get(index).ok_or(0xcb)?;
                let rest = &record[usize::from(*offset).min(record.len())..];
                let count = if *count == WHOLE {
                    rest.len()
                } else {
                    usize::from(*count)
                };
                if count > self.max_bytes {
                    return Err(0xca);
                }
                let is_last = index + 1 == self.records.len();
                let next = if is_last {
                    END
                } else {
                    u16::try_from(index + 2).unwrap()
                };
                let part = &rest[..count.min(rest.len())];
                Ok([&next.to_le_bytes()[..], part].concat())
            }
            _ => Err(0xc1),
        }
    }
}

/// The names of the records, and the number of requests that reading them took.
async fn names(store: &mut Store) -> (Vec<String>, usize) {
    let mut bmc = Responder::new(|request: &[u8]| store.respond(request));
    let (records, problems) = list(&mut bmc, Repository::Machine).await.unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    let name = |record: &Record| match record {
        Record::Sensor(sensor) => sensor.name.clone(),
        other => panic!("{other:?}"),
    };
    (records.iter().map(name).collect(), bmc.requests)
}

#[tokio::test]
async fn records_are_read_with_one_request_each() {
    let (names, requests) = names(&mut Store::new(255)).await;
    assert_eq!(names, ["One", "Two", "Three"]);
    assert_eq!(requests, 4, "one reservation and three records");
}

#[tokio::test]
async fn records_on_bmc_with_small_responses_are_read_in_parts() {
    for max_bytes in [32, 22, 16, 8] {
        assert_eq!(
            names(&mut Store::new(max_bytes)).await.0,
            ["One", "Two", "Three"],
            "{max_bytes}"
        );
    }
}

#[tokio::test]
async fn reservation_cancelled_is_renewed() {
    let mut store = Store::new(16);
    store.cancellations = vec![3, 9, 10, 15];
    assert_eq!(names(&mut store).await.0, ["One", "Two", "Three"]);
}

#[tokio::test]
async fn reservation_always_cancelled_is_an_error() {
    let mut bmc = Responder::new(|request: &[u8]| match request[1] {
        0x22 => Ok(vec![1, 0]),
        _ => Err(0xc5),
    });
    let error = list(&mut bmc, Repository::Machine).await.unwrap_err();
    assert!(
        matches!(error, Error::Refused(Completion::RESERVATION_CANCELLED)),
        "{error}"
    );
    assert!(bmc.requests < 30, "{}", bmc.requests);
}

#[tokio::test]
async fn records_in_a_circle_are_an_error() {
    let mut bmc = Responder::new(|request: &[u8]| match *request {
        [_, 0x22] => Ok(vec![1, 0]),
        [_, _, _, _, id, ..] => Ok([&[id % 5 + 1, 0][..], &full(id.into(), id, "x")].concat()),
        _ => Err(0xc1),
    });
    let error = list(&mut bmc, Repository::Machine).await.unwrap_err();
    let sentence = "malformed response: the list of SDRs is circular: 0x0001 is in it twice";
    assert_eq!(error.to_string(), sentence);
}

#[tokio::test]
async fn records_without_end_are_an_error() {
    let mut bmc = Responder::new(|request: &[u8]| match *request {
        [_, 0x22] => Ok(vec![1, 0]),
        [_, _, _, _, i, j, ..] => {
            let next = u16::from_le_bytes([i, j]).wrapping_add(1);
            Ok([&next.to_le_bytes()[..], &full(next, 1, "x")].concat())
        }
        _ => Err(0xc1),
    });
    let error = list(&mut bmc, Repository::Machine).await.unwrap_err();
    let sentence = "malformed response: there are more than 4096 SDRs";
    assert_eq!(error.to_string(), sentence);
}

#[tokio::test]
async fn record_malformed_does_not_affect_the_others() {
    let mut store = Store::new(255);
    store.records[1] = vec![2, 0, 0x51, 1, 60, 1, 2, 3];
    let mut bmc = Responder::new(|request: &[u8]| store.respond(request));
    let (records, problems) = list(&mut bmc, Repository::Machine).await.unwrap();
    assert_eq!(records.len(), 2);
    let sentences: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(sentences, ["SDR 0x0002: length is 60 bytes, but 3 follow"]);
}

#[tokio::test]
async fn repository_empty_has_no_records() {
    let mut bmc = Responder::new(|request: &[u8]| match request[1] {
        0x22 => Ok(vec![1, 0]),
        _ => Err(0xcb),
    });
    let (records, _) = list(&mut bmc, Repository::Machine).await.unwrap();
    assert!(records.is_empty());
}

#[tokio::test]
async fn device_records_without_reservations_are_read() {
    let mut bmc = Responder::new(|request: &[u8]| match *request {
        [0x04, 0x22] => Err(0xc1),
        [0x04, 0x21, ..] => Ok([&[0xff, 0xff][..], &full(1, 1, "Own")].concat()),
        _ => Err(0xc0),
    });
    let (records, _) = list(&mut bmc, Repository::Device).await.unwrap();
    assert_eq!(records.len(), 1);
}
