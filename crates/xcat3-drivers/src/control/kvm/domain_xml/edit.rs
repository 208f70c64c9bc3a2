//! Changing what a domain boots from first, by splicing words into its XML.

use std::ops::Range;

use xcat3_core::{BootDevice, MacAddr};

use super::{DomainXml, Kind, Order, XmlError};

/// A device to boot from, as domains know it.
struct Wanted {
    kind: Kind,
    /// In `<os><boot dev='…'/>`.
    preferred: &'static str,
    /// For sentences.
    word: &'static str,
}

impl Wanted {
    fn of(device: BootDevice) -> Result<Self, XmlError> {
        let (kind, preferred, word) = match device {
            BootDevice::Net => (Kind::Net, "network", "nic"),
            BootDevice::Disk => (Kind::Disk, "hd", "disk"),
            BootDevice::Cdrom => (Kind::Cdrom, "cdrom", "cdrom drive"),
            BootDevice::Setup | BootDevice::Http => {
                return Err(XmlError::NoWayToSay(device.as_str()));
            }
        };
        Ok(Self {
            kind,
            preferred,
            word,
        })
    }
}

impl DomainXml {
    /// The XML with `wanted` as what it boots from first and the others after it in their order.
    /// Where nics have an order of their own, the one with the address `nic` is meant by `net`.
    ///
    /// # Errors
    /// The domain can't boot from it.
    pub fn booting_from(
        &self,
        wanted: BootDevice,
        nic: Option<MacAddr>,
    ) -> Result<String, XmlError> {
        if self.kernel {
            return Err(XmlError::DirectKernel);
        }
        let wanted = Wanted::of(wanted)?;
        let edits = if self.devices.iter().any(|device| device.order.is_some()) {
            self.reorder_devices(&wanted, nic)?
        } else {
            self.reorder_preferred(&wanted)?
        };
        Ok(spliced(&self.text, edits))
    }

    /// The edits that put `wanted` before all others in `<os>`.
    fn reorder_preferred(&self, wanted: &Wanted) -> Result<Vec<Edit>, XmlError> {
        let word = wanted.preferred;
        let words: Vec<&str> = self
            .preferred
            .iter()
            .map(|boot| &self.text[boot.value.clone()])
            .collect();
        if let Some(place) = words.iter().position(|known| *known == word) {
            let moved = std::iter::once(word).chain(words[..place].iter().copied());
            let places = self.preferred.iter().map(|boot| boot.value.clone());
            return Ok(places
                .zip(moved)
                .map(|(at, text)| (at, text.to_owned()))
                .collect());
        }
        let element = format!("<boot dev='{word}'/>");
        Ok(match (self.preferred.first(), self.os_end) {
            (Some(first), _) => {
                let gap = gap_before(&self.text, first.start);
                vec![(first.start..first.start, format!("{element}{gap}"))]
            }
            (None, Some(end)) => vec![self.as_last_child(end, &element)],
            (None, None) => return Err(XmlError::Malformed("it has no <os>".to_owned())),
        })
    }

    /// The edits that give the wanted device the order 1 and number the others after it.
    fn reorder_devices(
        &self,
        wanted: &Wanted,
        nic: Option<MacAddr>,
    ) -> Result<Vec<Edit>, XmlError> {
        let (kind, word) = (wanted.kind, wanted.word);
        let candidates = self
            .devices
            .iter()
            .enumerate()
            .filter(|(_, d)| d.kind == kind);
        let (target, device) = candidates
            .min_by_key(|(place, device)| {
                let is_nic = kind == Kind::Net && nic.is_some() && device.mac == nic;
                let number = device.order.as_ref().map_or(u32::MAX, |order| order.number);
                (!is_nic, number, *place)
            })
            .ok_or(XmlError::NoSuchDevice(word))?;
        let mut others: Vec<&Order> = self
            .devices
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != target)
            .filter_map(|(_, device)| device.order.as_ref())
            .collect();
        others.sort_by_key(|order| order.number);
        let first = match (&device.order, device.end) {
            (Some(order), _) => (order.value.clone(), "1".to_owned()),
            (None, Some(end)) => self.as_last_child(end, "<boot order='1'/>"),
            (None, None) => return Err(XmlError::NoSuchDevice(word)),
        };
        let rest = others
            .iter()
            .zip(2..)
            .map(|(order, number): (_, u32)| (order.value.clone(), number.to_string()));
        Ok(std::iter::once(first).chain(rest).collect())
    }

    /// The edit that adds `element` to the parent whose end tag begins at `end`, indented as
    /// libvirt does.
    fn as_last_child(&self, end: usize, element: &str) -> Edit {
        let gap = gap_before(&self.text, end);
        if gap.contains('\n') {
            (end..end, format!("  {element}{gap}"))
        } else {
            (end..end, element.to_owned())
        }
    }
}

/// A part of the text and what is to stand there.
type Edit = (Range<usize>, String);

fn spliced(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut result = text.to_owned();
    for (range, replacement) in edits {
        result.replace_range(range, &replacement);
    }
    result
}

/// The white space that ends at `end`.
fn gap_before(text: &str, end: usize) -> &str {
    let start = text[..end].trim_end().len();
    &text[start..end]
}
