//! Inventory of replaceable units (IPMI v2.0, 34; Platform Management FRU Information Storage Definition
//! v1.0, revision 1.3): who made a machine, its boards and power supplies, and their serial numbers.

mod area;
mod read;
mod record;

pub use area::{BoardArea, ChassisArea, ProductArea};
pub use read::{Access, read};
pub use record::MultiRecord;

use super::Malformed;
use area::Area;

/// The inventory of one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fru {
    /// About the chassis it is in.
    pub chassis: Option<ChassisArea>,
    /// About the board it is.
    pub board: Option<BoardArea>,
    /// About the product it is.
    pub product: Option<ProductArea>,
    /// What else is recorded.
    pub records: Vec<MultiRecord>,
    /// What is wrong with it: an area with a wrong checksum is read all the same (quirk: many vendors
    /// write serial numbers without setting it right), one that is cut off as far as it goes.
    pub problems: Vec<Malformed>,
}

/// Where the areas begin, in bytes; 0 where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    chassis: usize,
    board: usize,
    product: usize,
    records: usize,
}

/// Bytes of the header.
const HEADER: usize = 8;
/// Bytes that make a step of an offset or a length.
const STEP: usize = 8;

impl Header {
    fn parse(image: &[u8]) -> Result<Self, Malformed> {
        let header: &[u8; HEADER] = image
            .first_chunk()
            .ok_or(Malformed::new("the header of the inventory is cut off"))?;
        let [version, _internal, chassis, board, product, records, ..] = *header;
        if header.iter().all(|byte| *byte == 0xff) || *header == [0; HEADER] {
            return Err("the inventory was never written".into());
        }
        if version & 0x0f != 1 {
            let sentence = format!("the inventory has format {version:#04x}, not 1");
            return Err(Malformed::new(sentence));
        }
        if sum(header) != 0 {
            return Err("the header of the inventory has a wrong checksum".into());
        }
        let at = |steps: u8| usize::from(steps) * STEP;
        Ok(Self {
            chassis: at(chassis),
            board: at(board),
            product: at(product),
            records: at(records),
        })
    }
}

impl Fru {
    /// Reads the whole inventory of a unit.
    ///
    /// # Errors
    /// Its header is no header. What is wrong further on is in [`Fru::problems`].
    pub fn parse(image: &[u8]) -> Result<Self, Malformed> {
        let header = Header::parse(image)?;
        let mut fru = Self::default();
        let problems = &mut fru.problems;
        if let Some(area) = Area::find("chassis", image, header.chassis, problems) {
            fru.chassis = area.keep(ChassisArea::parse(&area), problems);
        }
        if let Some(area) = Area::find("board", image, header.board, problems) {
            fru.board = area.keep(BoardArea::parse(&area), problems);
        }
        if let Some(area) = Area::find("product", image, header.product, problems) {
            fru.product = area.keep(ProductArea::parse(&area), problems);
        }
        if header.records != 0 {
            let rest = image.get(header.records..).unwrap_or_default();
            fru.records = record::parse(rest, problems);
        }
        Ok(fru)
    }
}

/// Zero where a checksum is right.
fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

#[cfg(test)]
#[path = "fru_tests.rs"]
mod tests;
