//! The inventory of a replaceable unit (FRU) in core's words.

use xcat3_core::hardware::{Board, Inventory};
use xcat3_ipmi::command::fru::Fru;

/// The unit that the BMC calls `name`.
pub fn of(name: &str, fru: &Fru) -> Board {
    let mut board = Board {
        name: name.to_owned(),
        ..Board::default()
    };
    if let Some(area) = &fru.board {
        board.manufacturer = some(&area.manufacturer);
        board.product = some(&area.product);
        board.serial = some(&area.serial);
        board.part_number = some(&area.part_number);
        board.fields.extend(custom("board", &area.custom));
    }
    if let Some(area) = &fru.product {
        let fields = [
            ("product manufacturer", &area.manufacturer),
            ("product", &area.name),
            ("product serial", &area.serial),
            ("product part number", &area.part_number),
            ("asset tag", &area.asset_tag),
        ];
        board.version = some(&area.version);
        // A unit that is a product and no board has its name there only.
        if fru.board.is_none() {
            board.manufacturer = some(&area.manufacturer);
            board.product = some(&area.name);
            board.serial = some(&area.serial);
            board.part_number = some(&area.part_number);
            board.fields.extend(told(&fields[4..]));
        } else {
            board.fields.extend(told(&fields));
        }
        board.fields.extend(custom("product", &area.custom));
    }
    if let Some(area) = &fru.chassis {
        let kind = area.type_name().to_owned();
        let fields = [
            ("chassis", &kind),
            ("chassis serial", &area.serial),
            ("chassis part number", &area.part_number),
        ];
        board.fields.extend(told(&fields));
        board.fields.extend(custom("chassis", &area.custom));
    }
    board
}

/// Tells of the machine what its BMC's own unit says of it.
pub fn describe(fru: &Fru, machine: &mut Inventory) {
    if let Some(area) = &fru.product {
        machine.manufacturer = some(&area.manufacturer);
        machine.model = some(&area.name);
        machine.serial = some(&area.serial);
        machine.part_number = some(&area.part_number);
        machine.asset_tag = some(&area.asset_tag);
    }
    if let Some(area) = &fru.board {
        let or = |known: &mut Option<String>, text: &str| {
            if known.is_none() {
                *known = some(text);
            }
        };
        or(&mut machine.manufacturer, &area.manufacturer);
        or(&mut machine.model, &area.product);
        or(&mut machine.serial, &area.serial);
    }
}

fn some(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn told(fields: &[(&str, &String)]) -> Vec<(String, String)> {
    let told = |(name, text): &(&str, &String)| Some(((*name).to_owned(), some(text)?));
    fields.iter().filter_map(told).collect()
}

fn custom(area: &str, texts: &[String]) -> Vec<(String, String)> {
    let told = |text: &String| Some((format!("{area} extra"), some(text)?));
    texts.iter().filter_map(told).collect()
}
