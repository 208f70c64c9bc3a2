//! What this driver reads from and changes in a domain's XML: its MAC addresses and what it boots.
//!
//! libvirt has two ways to say what boots: `<os><boot dev='…'/>` in order of preference, or a
//! `<boot order='N'/>` in devices; a domain uses one of them (<https://libvirt.org/formatdomain.html>).
//! A change is spliced into the text at the places that the parser found, so that all the rest
//! stays as it was, byte for byte. Nothing here talks to a hypervisor.

mod edit;

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use xcat3_core::{BootDevice, MacAddr};

/// Elements nested deeper than this are no domain that libvirt wrote.
const MAX_DEPTH: usize = 64;
/// What libvirt boots when nothing is said.
const DEFAULT: &str = "hd";

/// A domain's XML and where in it that stands which matters here.
#[derive(Clone, Debug)]
pub struct DomainXml {
    text: String,
    name: String,
    /// `<os><boot dev=…/>`, in order.
    preferred: Vec<Preferred>,
    /// Where `</os>` begins.
    os_end: Option<usize>,
    /// The kernel that is booted whatever the boot device is.
    kernel: bool,
    devices: Vec<Device>,
}

/// One `<boot dev='…'/>`.
#[derive(Clone, Debug)]
struct Preferred {
    start: usize,
    value: Range<usize>,
}

/// A device that can be booted from.
#[derive(Clone, Debug, Default)]
struct Device {
    kind: Kind,
    mac: Option<MacAddr>,
    /// `<target dev='…'/>`, what tells disks apart.
    target: Option<String>,
    order: Option<Order>,
    /// Where its end tag begins.
    end: Option<usize>,
}

/// What of a device matters to what a domain boots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    Net,
    Disk,
    Cdrom,
    #[default]
    Other,
}

/// One `<boot order='…'/>`.
#[derive(Clone, Debug)]
struct Order {
    number: u32,
    value: Range<usize>,
}

/// A boot order, and the nic or the disk that has it.
type BootOrder<'d> = (u32, Option<MacAddr>, Option<&'d str>);

/// Why a domain's XML can't be used, as a part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not XML, or not a domain as libvirt writes them.
    #[error("its XML cannot be understood: {0}")]
    Malformed(String),
    /// It boots something that a boot device can't express.
    #[error("it boots {0}, which is neither net, disk nor cdrom")]
    OtherDevice(String),
    /// `<os><kernel>` overrides every boot device.
    #[error("it boots a kernel that its XML names in <os><kernel>, whatever its boot device is")]
    DirectKernel,
    /// Boot order is per device and there is no such device.
    #[error("it has no {0} to boot from")]
    NoSuchDevice(&'static str),
    /// libvirt has no word for it.
    #[error("libvirt can't make a domain boot '{0}': use net, disk or cdrom")]
    NoWayToSay(&'static str),
}

impl DomainXml {
    /// Finds in `text` what matters here.
    ///
    /// # Errors
    /// It is no XML of a domain.
    pub fn parse(text: String) -> Result<Self, XmlError> {
        let mut found = Self {
            text: String::new(),
            name: String::new(),
            preferred: Vec::new(),
            os_end: None,
            kernel: false,
            devices: Vec::new(),
        };
        found.scan(&text)?;
        found.text = text;
        Ok(found)
    }

    fn scan(&mut self, text: &str) -> Result<(), XmlError> {
        let mut reader = Reader::from_str(text);
        let mut path: Vec<String> = Vec::new();
        let mut at_domain = false;
        loop {
            let before = position(&reader);
            let event = reader.read_event().map_err(malformed)?;
            match event {
                Event::Start(element) => {
                    path.push(element.name().as_ref().to_owned());
                    if path.len() > MAX_DEPTH {
                        return Err(XmlError::Malformed("nested too deep".to_owned()));
                    }
                    at_domain |= path == ["domain"];
                    self.open(&path, &element, before, text)?;
                }
                Event::Empty(element) => {
                    path.push(element.name().as_ref().to_owned());
                    self.open(&path, &element, before, text)?;
                    path.pop();
                }
                Event::End(_) => {
                    self.close(&path, before);
                    path.pop();
                }
                Event::Text(content) if path == ["domain", "name"] => {
                    self.name.push_str(&content.xml10_content());
                }
                Event::DocType(_) => {
                    return Err(XmlError::Malformed("it has a DOCTYPE".to_owned()));
                }
                Event::Eof if at_domain && path.is_empty() => return Ok(()),
                Event::Eof => return Err(XmlError::Malformed("it ends early".to_owned())),
                _ => {}
            }
        }
    }

    /// Takes note of an element's start; `path` ends with the element.
    fn open(
        &mut self,
        path: &[String],
        element: &BytesStart<'_>,
        start: usize,
        text: &str,
    ) -> Result<(), XmlError> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path[..] {
            ["domain", "os", "kernel"] => self.kernel = true,
            ["domain", "os", "boot"] => {
                if let Some(value) = attribute(element, "dev", text)? {
                    self.preferred.push(Preferred { start, value });
                }
            }
            ["domain", "devices", name] => {
                let device = attribute(element, "device", text)?;
                self.devices.push(Device {
                    kind: kind(name, device.map(|range| &text[range])),
                    ..Device::default()
                });
            }
            ["domain", "devices", _, inner] => {
                let Some(device) = self.devices.last_mut() else {
                    return Ok(());
                };
                match inner {
                    "mac" if device.kind == Kind::Net => {
                        let value = attribute(element, "address", text)?;
                        device.mac = value.and_then(|range| text[range].parse().ok());
                    }
                    "target" => {
                        let value = attribute(element, "dev", text)?;
                        device.target = value.map(|range| text[range].to_owned());
                    }
                    "boot" => device.order = order(element, text)?,
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes note of where an element ends; `path` ends with the element.
    fn close(&mut self, path: &[String], start: usize) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path[..] {
            ["domain", "os"] => self.os_end = Some(start),
            ["domain", "devices", _] => {
                if let Some(device) = self.devices.last_mut() {
                    device.end = Some(start);
                }
            }
            _ => {}
        }
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The domain's name, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The addresses of its nics.
    pub fn macs(&self) -> impl Iterator<Item = MacAddr> + '_ {
        self.devices.iter().filter_map(|device| device.mac)
    }

    /// What it boots from first.
    ///
    /// # Errors
    /// It is none of the boot devices that xcat3 knows.
    pub fn boot_device(&self) -> Result<BootDevice, XmlError> {
        if self.kernel {
            return Err(XmlError::DirectKernel);
        }
        let ordered = self
            .devices
            .iter()
            .filter_map(|d| Some((d.order.as_ref()?.number, d.kind)));
        if let Some((_, kind)) = ordered.min_by_key(|(number, _)| *number) {
            return match kind {
                Kind::Net => Ok(BootDevice::Net),
                Kind::Disk => Ok(BootDevice::Disk),
                Kind::Cdrom => Ok(BootDevice::Cdrom),
                Kind::Other => Err(XmlError::OtherDevice("a passed-through device".to_owned())),
            };
        }
        match self
            .preferred
            .first()
            .map_or(DEFAULT, |first| &self.text[first.value.clone()])
        {
            "network" => Ok(BootDevice::Net),
            "hd" => Ok(BootDevice::Disk),
            "cdrom" => Ok(BootDevice::Cdrom),
            other => Err(XmlError::OtherDevice(format!("'{}'", short(other)))),
        }
    }

    /// Whether `other` (the same domain, say, as it runs) would boot in the same order.
    #[must_use]
    pub fn boots_like(&self, other: &Self) -> bool {
        self.boot_order() == other.boot_order()
    }

    fn boot_order(&self) -> (Vec<&str>, Vec<BootOrder<'_>>) {
        let preferred = self
            .preferred
            .iter()
            .map(|boot| &self.text[boot.value.clone()])
            .collect();
        let mut ordered: Vec<_> = self
            .devices
            .iter()
            .filter_map(|d| {
                // The target of a nic is its tap, which only a running domain has.
                let target = d.target.as_deref().filter(|_| d.kind != Kind::Net);
                Some((d.order.as_ref()?.number, d.mac, target))
            })
            .collect();
        ordered.sort_by_key(|(number, ..)| *number);
        (preferred, ordered)
    }
}

fn kind(element: &str, device: Option<&str>) -> Kind {
    match (element, device) {
        ("interface", _) => Kind::Net,
        ("disk", None | Some("disk" | "lun")) => Kind::Disk,
        ("disk", Some("cdrom")) => Kind::Cdrom,
        _ => Kind::Other,
    }
}

fn order(element: &BytesStart<'_>, text: &str) -> Result<Option<Order>, XmlError> {
    let Some(value) = attribute(element, "order", text)? else {
        return Ok(None);
    };
    let number = text[value.clone()]
        .parse()
        .map_err(|_| XmlError::Malformed("a boot order is not a number".to_owned()))?;
    Ok(Some(Order { number, value }))
}

/// Where in `text`, out of which `element` was read, the value of its attribute `name` stands.
fn attribute(
    element: &BytesStart<'_>,
    name: &str,
    text: &str,
) -> Result<Option<Range<usize>>, XmlError> {
    for attribute in element.attributes() {
        let attribute = attribute.map_err(malformed)?;
        if attribute.key.as_ref() == name {
            let value: &str = &attribute.value;
            let start = (value.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
            let range = start..start.wrapping_add(value.len());
            return match text.get(range.clone()) {
                Some(same) if same == value => Ok(Some(range)),
                _ => Err(XmlError::Malformed(format!(
                    "the attribute {name} is not literal"
                ))),
            };
        }
    }
    Ok(None)
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn malformed(error: impl std::fmt::Display) -> XmlError {
    XmlError::Malformed(short(&error.to_string()))
}

/// The beginning of what a hypervisor said, fit for a sentence.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests;
