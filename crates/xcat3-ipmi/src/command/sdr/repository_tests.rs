use super::super::record::Kind;
use super::super::record::tests::full;
use super::*;
use crate::command::script::Answering;

/// A repository of three records that gives at most `most` bytes at once and loses the reservation
/// before the requests in `losses`.
struct Store {
    records: Vec<Vec<u8>>,
    most: usize,
    losses: Vec<usize>,
    count: usize,
    reservation: u16,
}

impl Store {
    fn new(most: usize) -> Self {
        let records = vec![
            full(1, 0x10, "One"),
            full(2, 0x11, "Two"),
            full(3, 0x12, "Three"),
        ];
        Self {
            records,
            most,
            losses: Vec::new(),
            count: 0,
            reservation: 7,
        }
    }

    fn answer(&mut self, request: &[u8]) -> Result<Vec<u8>, u8> {
        self.count += 1;
        if self.losses.contains(&self.count) {
            self.reservation += 1;
        }
        match request {
            [0x0a, 0x22] => Ok(self.reservation.to_le_bytes().to_vec()),
            [0x0a, 0x23, r, s, i, j, offset, count] => {
                if u16::from_le_bytes([*r, *s]) != self.reservation {
                    return Err(0xc5);
                }
                let at = usize::from(u16::from_le_bytes([*i, *j]).max(1)) - 1;
                let record = self.records.get(at).ok_or(0xcb)?;
                let rest = &record[usize::from(*offset).min(record.len())..];
                let count = if *count == WHOLE {
                    rest.len()
                } else {
                    usize::from(*count)
                };
                if count > self.most {
                    return Err(0xca);
                }
                let last = at + 1 == self.records.len();
                let next = if last {
                    END
                } else {
                    u16::try_from(at + 2).unwrap()
                };
                let part = &rest[..count.min(rest.len())];
                Ok([&next.to_le_bytes()[..], part].concat())
            }
            _ => Err(0xc1),
        }
    }
}

async fn names(store: &mut Store) -> (Vec<String>, usize) {
    let mut bmc = Answering::new(|request: &[u8]| store.answer(request));
    let (records, problems) = list(&mut bmc, Repository::Machine).await.unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    let name = |record: &Record| match &record.kind {
        Kind::Sensor(sensor) => sensor.name.clone(),
        other => panic!("{other:?}"),
    };
    (records.iter().map(name).collect(), bmc.requests)
}

#[tokio::test]
async fn all_records_come_whatever_the_bmc_gives_at_once() {
    let (read, requests) = names(&mut Store::new(255)).await;
    assert_eq!(read, ["One", "Two", "Three"]);
    assert_eq!(requests, 4, "one to reserve and one a record");
    for most in [32, 22, 16, 8] {
        assert_eq!(
            names(&mut Store::new(most)).await.0,
            ["One", "Two", "Three"],
            "{most}"
        );
    }
}

#[tokio::test]
async fn a_lost_reservation_is_made_again() {
    let mut store = Store::new(16);
    store.losses = vec![3, 9, 10, 15];
    assert_eq!(names(&mut store).await.0, ["One", "Two", "Three"]);
    let mut lost = Answering::new(|request: &[u8]| match request[1] {
        0x22 => Ok(vec![1, 0]),
        _ => Err(0xc5),
    });
    let error = list(&mut lost, Repository::Machine).await.unwrap_err();
    assert!(
        matches!(error, Error::Refused(Completion::RESERVATION_CANCELLED)),
        "{error}"
    );
    assert!(lost.requests < 30, "{}", lost.requests);
}

#[tokio::test]
async fn records_in_a_circle_end() {
    let mut bmc = Answering::new(|request: &[u8]| match *request {
        [_, 0x22] => Ok(vec![1, 0]),
        [_, _, _, _, id, ..] => Ok([&[id % 5 + 1, 0][..], &full(id.into(), id, "x")].concat()),
        _ => Err(0xc1),
    });
    let error = list(&mut bmc, Repository::Machine).await.unwrap_err();
    let sentence = "the BMC's answer is malformed: \
                    the sensor data records go round in a circle: 0x0001 comes a second time";
    assert_eq!(error.to_string(), sentence);
    let mut endless = Answering::new(|request: &[u8]| match *request {
        [_, 0x22] => Ok(vec![1, 0]),
        [_, _, _, _, i, j, ..] => {
            let next = u16::from_le_bytes([i, j]).wrapping_add(1);
            Ok([&next.to_le_bytes()[..], &full(next, 1, "x")].concat())
        }
        _ => Err(0xc1),
    });
    let error = list(&mut endless, Repository::Machine).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("more than 4096 sensor data records"),
        "{error}"
    );
}

#[tokio::test]
async fn one_malformed_record_costs_no_other() {
    let mut store = Store::new(255);
    store.records[1] = vec![2, 0, 0x51, 1, 60, 1, 2, 3];
    let mut bmc = Answering::new(|request: &[u8]| store.answer(request));
    let (records, problems) = list(&mut bmc, Repository::Machine).await.unwrap();
    assert_eq!(records.len(), 2);
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["sensor data record 0x0002: it says 60 bytes and has 3"]
    );
}

#[tokio::test]
async fn a_bmc_without_records_has_none() {
    let mut bmc = Answering::new(|request: &[u8]| match request[1] {
        0x22 => Ok(vec![1, 0]),
        _ => Err(0xcb),
    });
    let (records, _) = list(&mut bmc, Repository::Machine).await.unwrap();
    assert!(records.is_empty());
    let mut device = Answering::new(|request: &[u8]| match *request {
        [0x04, 0x22] => Err(0xc1),
        [0x04, 0x21, ..] => Ok([&[0xff, 0xff][..], &full(1, 1, "Own")].concat()),
        _ => Err(0xc0),
    });
    let (records, _) = list(&mut device, Repository::Device).await.unwrap();
    assert_eq!(records.len(), 1);
}

#[test]
fn the_description_of_the_repository_is_read() {
    let answer = [0x51, 0x2a, 0x00, 0xff, 0xff, 1, 0, 0, 0, 2, 0, 0, 0, 0x2f];
    let info = RepositoryInfo::parse(&answer).unwrap();
    assert_eq!((info.records, info.added, info.erased), (42, 1, 2));
    assert!(RepositoryInfo::parse(&answer[..12]).is_err());
}
