use proptest::prelude::*;

use super::*;
use crate::client::Error;
use crate::command::script::Answering;

/// An area with version, length, padding and checksum around `content`.
pub(crate) fn area(content: &[u8]) -> Vec<u8> {
    let length = (content.len() + 3).next_multiple_of(STEP);
    let mut area = vec![1, u8::try_from(length / STEP).unwrap()];
    area.extend_from_slice(content);
    area.resize(length - 1, 0);
    area.push(0_u8.wrapping_sub(sum(&area)));
    area
}

fn field(text: &str) -> Vec<u8> {
    let mut field = vec![0xc0 | u8::try_from(text.len()).unwrap()];
    field.extend_from_slice(text.as_bytes());
    field
}

fn fields(head: &[u8], texts: &[&str]) -> Vec<u8> {
    let mut content = head.to_vec();
    content.extend(texts.iter().flat_map(|text| field(text)));
    content.push(0xc1);
    area(&content)
}

fn multi(kind: u8, last: bool, content: &[u8]) -> Vec<u8> {
    let format = if last { 0x82 } else { 0x02 };
    let length = u8::try_from(content.len()).unwrap();
    let mut header = vec![kind, format, length, 0_u8.wrapping_sub(sum(content))];
    header.push(0_u8.wrapping_sub(sum(&header)));
    [&header[..], content].concat()
}

/// The inventory of a server, by the specification.
pub(crate) fn image() -> Vec<u8> {
    let chassis = fields(&[23], &["CSE-829", "C829-1"]);
    // 2019-06-30 12:00 UTC is 12,357,360 minutes after 1996.
    let board = [&[25][..], &12_357_360_u32.to_le_bytes()[..3]].concat();
    let board = fields(
        &board,
        &["Supermicro", "X11DPU", "SN-B", "PN-B", "f1", "rev 2"],
    );
    let product = fields(
        &[0],
        &["Acme", "Server 9", "PN-P", "V1", "SN-P", "rack 7", ""],
    );
    let records = [
        multi(0, false, &[0x20, 0x03, 1, 2]),
        multi(0xc1, true, &[7]),
    ]
    .concat();
    let mut image = vec![1, 0, 1];
    let mut at = HEADER;
    for part in [&chassis, &board, &product] {
        at += part.len();
        image.push(u8::try_from(at / STEP).unwrap());
    }
    image.push(0);
    image.push(0_u8.wrapping_sub(sum(&image)));
    [image, chassis, board, product, records].concat()
}

#[test]
fn an_inventory_tells_what_is_in_it() {
    let fru = Fru::parse(&image()).unwrap();
    assert!(fru.problems.is_empty(), "{:?}", fru.problems);
    let chassis = fru.chassis.unwrap();
    assert_eq!(chassis.kind_name(), "rack-mount chassis");
    assert_eq!(
        (&*chassis.part_number, &*chassis.serial),
        ("CSE-829", "C829-1")
    );
    let board = fru.board.unwrap();
    assert_eq!(board.made, Some(1_561_896_000));
    assert_eq!(
        (&*board.manufacturer, &*board.product),
        ("Supermicro", "X11DPU")
    );
    assert_eq!(
        (&*board.serial, &*board.part_number, &*board.file),
        ("SN-B", "PN-B", "f1")
    );
    assert_eq!(board.custom, ["rev 2"]);
    let product = fru.product.unwrap();
    assert_eq!(
        (&*product.manufacturer, &*product.name),
        ("Acme", "Server 9")
    );
    assert_eq!((&*product.serial, &*product.asset_tag), ("SN-P", "rack 7"));
    assert_eq!((&*product.version, &*product.file), ("V1", ""));
    assert!(product.custom.is_empty());
    assert_eq!(fru.records.len(), 2);
    assert_eq!(fru.records[0].watts(), Some(800));
    assert_eq!(fru.records[1].watts(), None);
}

#[test]
fn fields_end_where_the_maker_ended_them() {
    let mut image = vec![1, 0, 0, 0, 1, 0, 0, 0xfe];
    image.extend(fields(&[0], &["Acme", "Box"]));
    let product = Fru::parse(&image).unwrap().product.unwrap();
    assert_eq!((&*product.name, &*product.serial), ("Box", ""));
}

#[test]
fn each_encoding_and_language_is_read() {
    // German, "AB" by two bytes a character; 6-bit "IPMI"; BCD "12-3"; binary.
    let mut content = vec![9, 0, 0, 0];
    content.extend_from_slice(&[0xc4, 0x41, 0, 0xe4, 0]);
    content.extend_from_slice(&[0x83, 0x29, 0xdc, 0xa6]);
    content.extend_from_slice(&[0x42, 0x12, 0xb3]);
    content.extend_from_slice(&[0x02, 0xde, 0xad]);
    // ASCII although the language is German.
    content.extend_from_slice(b"\xc4FILE\xc1");
    let mut image = vec![1, 0, 0, 1, 0, 0, 0, 0xfe];
    image.extend(area(&content));
    let board = Fru::parse(&image).unwrap().board.unwrap();
    assert_eq!((board.made, &*board.manufacturer), (None, "A\u{e4}"));
    assert_eq!((&*board.product, &*board.serial), ("IPMI", "12-3"));
    assert_eq!((&*board.part_number, &*board.file), ("dead", "FILE"));
}

fn problems(image: &[u8]) -> Vec<String> {
    let fru = Fru::parse(image).unwrap();
    fru.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_wrong_is_said_and_the_rest_is_read() {
    let good = image();
    let mut broken = good.clone();
    broken[HEADER + 5] ^= 1;
    assert_eq!(problems(&broken), ["the chassis area has a wrong checksum"]);
    let fru = Fru::parse(&broken).unwrap();
    assert_eq!(fru.chassis.unwrap().serial, "C829-1");
    assert!(fru.product.is_some());

    let cut = problems(&good[..HEADER + 30]);
    assert!(cut[0].starts_with("the board area says "), "{cut:?}");
    assert!(
        cut[1..]
            .iter()
            .any(|what| what.starts_with("the product area begins at byte"))
    );
    assert_eq!(cut.last().unwrap(), "record 1 of the inventory is cut off");

    let mut lying = good.clone();
    let at = lying.len() - 1;
    lying[at] = 8;
    assert_eq!(
        problems(&lying),
        ["record 2 of the inventory has a wrong checksum"]
    );
    lying[at - 4] = 200;
    assert_eq!(
        problems(&lying),
        ["record 2 of the inventory has a wrong checksum of its header"]
    );
}

#[test]
fn a_memory_without_a_header_is_no_inventory() {
    let sentence = |image: &[u8]| Fru::parse(image).unwrap_err().to_string();
    assert_eq!(sentence(&[0xff; 64]), "the inventory was never written");
    assert_eq!(sentence(&[0; 64]), "the inventory was never written");
    assert_eq!(sentence(&[2; 64]), "the inventory has format 0x02, not 1");
    assert_eq!(sentence(&[1; 7]), "the header of the inventory is cut off");
    let mut wrong = image();
    wrong[7] ^= 1;
    assert_eq!(
        sentence(&wrong),
        "the header of the inventory has a wrong checksum"
    );
}

/// A memory that gives at most `most` bytes at once.
fn memory(
    mut image: Vec<u8>,
    most: u8,
    by_words: bool,
) -> impl FnMut(&[u8]) -> Result<Vec<u8>, u8> + Send {
    image.resize(image.len().next_multiple_of(2), 0);
    move |request| match *request {
        [0x0a, 0x10, 0] => Ok(vec![0x00, 0x10, by_words.into()]),
        [0x0a, 0x11, 0, low, high, count] => {
            let unit = if by_words { 2 } else { 1 };
            if u16::from(count) * unit > most.into() {
                return Err(0xc9);
            }
            let at = usize::from(u16::from_le_bytes([low, high]) * unit);
            let end = (at + usize::from(count) * usize::from(unit)).min(image.len());
            let part = image.get(at..end).unwrap_or_default();
            let count = u8::try_from(part.len()).unwrap() / u8::try_from(unit).unwrap();
            Ok([&[count][..], part].concat())
        }
        _ => Err(0xcb),
    }
}

#[tokio::test]
async fn an_inventory_is_read_whatever_the_bmc_gives_at_once() {
    let whole = Fru::parse(&image()).unwrap();
    for (most, by_words) in [
        (255, false),
        (64, false),
        (17, false),
        (8, false),
        (255, true),
        (16, true),
    ] {
        let mut bmc = Answering::new(memory(image(), most, by_words));
        let fru = read(&mut bmc, 0).await.unwrap();
        assert_eq!(fru.as_ref(), Some(&whole), "{most} {by_words}");
        assert!(
            bmc.requests < 60,
            "only what is in use is read: {}",
            bmc.requests
        );
        assert_eq!(read(&mut bmc, 1).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_count_that_lies_is_told() {
    let mut bmc = Answering::new(|request: &[u8]| match request[1] {
        0x10 => Ok(vec![0, 1, 0]),
        _ => Ok(vec![8, 1, 0, 0]),
    });
    let Err(Error::Malformed(problem)) = read(&mut bmc, 3).await else {
        panic!("it was taken");
    };
    assert_eq!(
        problem.to_string(),
        "FRU 3 at byte 0: the BMC says 8 bytes and gives 3"
    );
    let mut nothing = Answering::new(|request: &[u8]| match request[1] {
        0x10 => Ok(vec![0, 1, 0]),
        _ => Ok(vec![0]),
    });
    let error = read(&mut nothing, 0).await.unwrap_err().to_string();
    assert!(
        error.ends_with("FRU 0: the header of the inventory is cut off"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn any_memory_is_an_inventory_or_a_sentence(
        mut image in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Some(header) = image.first_chunk_mut::<8>() {
            header[0] = 1;
            header[7] = 0;
            header[7] = 0_u8.wrapping_sub(sum(header));
        }
        if let Ok(fru) = Fru::parse(&image) {
            prop_assert!(fru.records.len() <= 64);
        }
    }

    #[test]
    fn a_damaged_inventory_never_panics(at: prop::sample::Index, byte: u8, end: prop::sample::Index) {
        let mut image = image();
        *at.get_mut(&mut image) = byte;
        image.truncate(end.index(image.len()) + 1);
        let _ = Fru::parse(&image);
    }
}
