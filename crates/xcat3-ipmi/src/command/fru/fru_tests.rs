//! Tests of inventories.

use proptest::prelude::*;

use super::*;
use crate::client::Error;
use crate::command::script::Responder;

/// An area with version, length, padding and checksum around `content`.
fn area(content: &[u8]) -> Vec<u8> {
    let length = (content.len() + 3).next_multiple_of(UNIT);
    let mut area = vec![1, u8::try_from(length / UNIT).unwrap()];
    area.extend_from_slice(content);
    area.resize(length - 1, 0);
    area.push(checksum(&area));
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

/// The inventory of a server in the layout of the specification.
fn image() -> Vec<u8> {
    let chassis = fields(&[23], &["CSE-829", "C829-1"]);
    // English, then the manufacturing date.
    let board = fields(
        &[25, 0x70, 0x8e, 0xbc],
        &["Supermicro", "X11DPU", "SN-B", "PN-B", "f1", "rev 2"],
    );
    let product = fields(
        &[0],
        &["Acme", "Server 9", "PN-P", "V1", "SN-P", "rack 7", ""],
    );
    let mut image = vec![1, 0];
    let mut offset = HEADER;
    for area in [&chassis, &board, &product] {
        image.push(u8::try_from(offset / UNIT).unwrap());
        offset += area.len();
    }
    image.extend([0, 0]);
    image.push(checksum(&image));
    [image, chassis, board, product].concat()
}

#[test]
fn inventory_has_chassis_board_and_product() {
    let fru = Fru::parse(&image()).unwrap();
    assert!(fru.problems.is_empty(), "{:?}", fru.problems);
    let chassis = fru.chassis.unwrap();
    assert_eq!(chassis.type_name(), "rack-mount chassis");
    assert_eq!(
        (&*chassis.part_number, &*chassis.serial),
        ("CSE-829", "C829-1")
    );
    let board = fru.board.unwrap();
    assert_eq!(
        (&*board.manufacturer, &*board.product),
        ("Supermicro", "X11DPU")
    );
    assert_eq!((&*board.serial, &*board.part_number), ("SN-B", "PN-B"));
    assert_eq!(board.custom, ["rev 2"]);
    let product = fru.product.unwrap();
    assert_eq!(
        (&*product.manufacturer, &*product.name),
        ("Acme", "Server 9")
    );
    assert_eq!((&*product.serial, &*product.asset_tag), ("SN-P", "rack 7"));
    assert_eq!((&*product.version, &*product.part_number), ("V1", "PN-P"));
    assert!(product.custom.is_empty());
}

#[test]
fn fields_missing_are_empty() {
    let mut image = vec![1, 0, 0, 0, 1, 0, 0, 0xfe];
    image.extend(fields(&[0], &["Acme", "Box"]));
    let product = Fru::parse(&image).unwrap().product.unwrap();
    assert_eq!((&*product.name, &*product.serial), ("Box", ""));
}

#[test]
fn fields_in_each_encoding_and_language_are_decoded() {
    // German: "AÄ" with two bytes per character; 6-bit "IPMI"; BCD "12-3"; binary; a file ID; ASCII in spite of
    // the language.
    let mut content = vec![9, 0, 0, 0];
    content.extend_from_slice(&[0xc4, 0x41, 0, 0xe4, 0]);
    content.extend_from_slice(&[0x83, 0x29, 0xdc, 0xa6]);
    content.extend_from_slice(&[0x42, 0x12, 0xb3]);
    content.extend_from_slice(&[0x02, 0xde, 0xad]);
    content.extend_from_slice(b"\xc4FILE\xc4TEXT\xc1");
    let mut image = vec![1, 0, 0, 1, 0, 0, 0, 0xfe];
    image.extend(area(&content));
    let board = Fru::parse(&image).unwrap().board.unwrap();
    assert_eq!(&*board.manufacturer, "A\u{e4}");
    assert_eq!((&*board.product, &*board.serial), ("IPMI", "12-3"));
    assert_eq!(&*board.part_number, "dead");
    assert_eq!(board.custom, ["TEXT"]);
}

fn problems(image: &[u8]) -> Vec<String> {
    let fru = Fru::parse(image).unwrap();
    fru.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn area_with_wrong_checksum_is_parsed_and_reported() {
    let mut damaged = image();
    damaged[HEADER + 5] ^= 1;
    assert_eq!(
        problems(&damaged),
        ["the chassis area has a wrong checksum"]
    );
    let fru = Fru::parse(&damaged).unwrap();
    assert_eq!(fru.chassis.unwrap().serial, "C829-1");
    assert!(fru.product.is_some());
}

#[test]
fn inventory_truncated_is_parsed_up_to_its_end() {
    let problems = problems(&image()[..HEADER + 30]);
    assert_eq!(
        problems,
        [
            "the board area has length 48, but 6 bytes follow",
            "the product area starts at byte 80 of an inventory of 38 bytes",
            "the board area is truncated",
        ]
    );
}

#[test]
fn memory_without_valid_header_is_an_error() {
    let sentence = |image: &[u8]| Fru::parse(image).unwrap_err().to_string();
    assert_eq!(sentence(&[0xff; 64]), "the inventory was never written");
    assert_eq!(sentence(&[0; 64]), "the inventory was never written");
    assert_eq!(sentence(&[2; 64]), "the inventory has format 0x02, not 1");
    assert_eq!(sentence(&[1; 7]), "the inventory header is truncated");
    let mut wrong = image();
    wrong[7] ^= 1;
    assert_eq!(
        sentence(&wrong),
        "the inventory header has a wrong checksum"
    );
}

/// A memory that returns at most `max_bytes` at once, in units of one or two bytes.
fn memory(
    mut image: Vec<u8>,
    max_bytes: u8,
    by_words: bool,
) -> impl FnMut(&[u8]) -> Result<Vec<u8>, u8> + Send {
    image.resize(image.len().next_multiple_of(2), 0);
    move |request| match *request {
        [0x0a, 0x10, 0] => Ok(vec![0x00, 0x10, by_words.into()]),
        [0x0a, 0x11, 0, low, high, count] => {
            let unit = if by_words { 2 } else { 1 };
            if u16::from(count) * unit > max_bytes.into() {
                return Err(0xc9);
            }
            let start = usize::from(u16::from_le_bytes([low, high]) * unit);
            let end = (start + usize::from(count) * usize::from(unit)).min(image.len());
            let part = image.get(start..end).unwrap_or_default();
            let count = u8::try_from(part.len()).unwrap() / u8::try_from(unit).unwrap();
            Ok([&[count][..], part].concat())
        }
        _ => Err(0xcb),
    }
}

#[tokio::test]
async fn inventory_is_read_in_parts_of_every_size() {
    let whole = Fru::parse(&image()).unwrap();
    for (max_bytes, by_words) in [
        (255, false),
        (64, false),
        (17, false),
        (8, false),
        (255, true),
        (16, true),
    ] {
        let mut bmc = Responder::new(memory(image(), max_bytes, by_words));
        let fru = read(&mut bmc, 0).await.unwrap();
        assert_eq!(fru.as_ref(), Some(&whole), "{max_bytes} {by_words}");
        let requests = bmc.requests;
        assert!(requests < 60, "{requests} requests: only areas are read");
    }
}

#[tokio::test]
async fn unit_absent_has_no_inventory() {
    let mut bmc = Responder::new(memory(image(), 255, false));
    assert_eq!(read(&mut bmc, 1).await.unwrap(), None);
    let mut unplugged = Responder::new(|request: &[u8]| match request[1] {
        0x10 => Ok(vec![0, 1, 0]),
        _ => Err(0xcb),
    });
    assert_eq!(read(&mut unplugged, 1).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn memory_in_use_is_read_again() {
    let mut memory = memory(image(), 255, false);
    let mut reads = 0;
    let mut bmc = Responder::new(move |request: &[u8]| {
        reads += usize::from(request[1] == 0x11);
        match reads {
            1..=3 => Err(0x81),
            _ => memory(request),
        }
    });
    assert!(read(&mut bmc, 0).await.unwrap().is_some());
    let mut busy = Responder::new(|request: &[u8]| match request[1] {
        0x10 => Ok(vec![0, 1, 0]),
        _ => Err(0x81),
    });
    let error = read(&mut busy, 0).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
}

#[tokio::test]
async fn part_with_wrong_count_is_an_error() {
    let mut bmc = Responder::new(|request: &[u8]| match request[1] {
        0x10 => Ok(vec![0, 1, 0]),
        _ => Ok(vec![8, 1, 0, 0]),
    });
    let error = read(&mut bmc, 3).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "malformed response: FRU 3 at byte 0: the count is 8 bytes, but 3 follow"
    );
    let mut empty = Responder::new(|request: &[u8]| match request[1] {
        0x10 => Ok(vec![0, 1, 0]),
        _ => Ok(vec![0]),
    });
    let error = read(&mut empty, 0).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "malformed response: FRU 0: the inventory header is truncated"
    );
}

proptest! {
    #[test]
    fn memory_arbitrary_with_header_is_parsed_or_an_error(
        mut image in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Some(header) = image.first_chunk_mut::<8>() {
            header[0] = 1;
            header[7] = 0;
            header[7] = checksum(header);
        }
        let _ = Fru::parse(&image);
    }

    #[test]
    fn inventory_damaged_never_panics(
        index: prop::sample::Index,
        byte: u8,
        end: prop::sample::Index,
    ) {
        let mut image = image();
        *index.get_mut(&mut image) = byte;
        image.truncate(end.index(image.len()) + 1);
        let _ = Fru::parse(&image);
    }
}
