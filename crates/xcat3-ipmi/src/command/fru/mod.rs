//! Inventory of replaceable units (IPMI v2.0, 34; Platform Management FRU Information Storage Definition
//! v1.0, revision 1.3): manufacturers and serial numbers of a machine, its boards and power supplies.

mod area;
mod read;

pub use area::{BoardArea, ChassisArea, ProductArea};
pub use read::read;

use super::Malformed;
use crate::wire::checksum;
use area::Area;

/// The inventory of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fru {
    /// The chassis of the unit.
    pub chassis: Option<ChassisArea>,
    /// The board that the unit is.
    pub board: Option<BoardArea>,
    /// The product that the unit is.
    pub product: Option<ProductArea>,
    /// What is wrong with the inventory. An area with a wrong checksum is still parsed (quirk: many
    /// manufacturers write serial numbers without a new checksum), a truncated one as far as it goes.
    pub problems: Vec<Malformed>,
}

/// Offsets of the areas in bytes; 0 if there is no such area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    chassis: usize,
    board: usize,
    product: usize,
}

/// Length of the header in bytes.
const HEADER: usize = 8;
/// Offsets and lengths count units of this many bytes.
const UNIT: usize = 8;

impl Header {
    fn parse(image: &[u8]) -> Result<Self, Malformed> {
        let Some(header) = image.first_chunk::<HEADER>() else {
            return Err("the inventory header is truncated".into());
        };
        let [version, _internal, chassis, board, product, ..] = *header;
        if *header == [0xff; HEADER] || *header == [0; HEADER] {
            return Err("the inventory was never written".into());
        }
        if version & 0x0f != 1 {
            let sentence = format!("the inventory has format {version:#04x}, not 1");
            return Err(Malformed::new(sentence));
        }
        if checksum(header) != 0 {
            return Err("the inventory header has a wrong checksum".into());
        }
        let offset = |units: u8| usize::from(units) * UNIT;
        Ok(Self {
            chassis: offset(chassis),
            board: offset(board),
            product: offset(product),
        })
    }
}

impl Fru {
    /// Parses an inventory.
    ///
    /// # Errors
    /// The header is invalid. Problems of the areas are in [`Fru::problems`].
    pub fn parse(image: &[u8]) -> Result<Self, Malformed> {
        let header = Header::parse(image)?;
        let mut problems = Vec::new();
        let mut area = |name, offset| Area::find(name, image, offset, &mut problems);
        let chassis = area("chassis", header.chassis);
        let board = area("board", header.board);
        let product = area("product", header.product);
        Ok(Self {
            chassis: chassis.and_then(|area| area.parse(ChassisArea::parse, &mut problems)),
            board: board.and_then(|area| area.parse(BoardArea::parse, &mut problems)),
            product: product.and_then(|area| area.parse(ProductArea::parse, &mut problems)),
            problems,
        })
    }
}

#[cfg(test)]
#[path = "fru_tests.rs"]
mod tests;
