//! Errors and progress of a machine's firmware (IPMI v2.0, table 42-3, sensor type 0x0f).

const ERRORS: [&str; 14] = [
    "unspecified",
    "no memory",
    "no usable memory",
    "unrecoverable hard disk failure",
    "unrecoverable board failure",
    "unrecoverable diskette failure",
    "unrecoverable disk controller failure",
    "unrecoverable keyboard or mouse failure",
    "removable boot medium not found",
    "unrecoverable video failure",
    "no video device",
    "firmware corruption",
    "processor voltage mismatch",
    "processor speed mismatch",
];

const PROGRESS: [&str; 26] = [
    "unspecified",
    "memory initialisation",
    "disk initialisation",
    "secondary processor initialisation",
    "user authentication",
    "setup, by the user",
    "USB configuration",
    "PCI configuration",
    "option ROM initialisation",
    "video initialisation",
    "cache initialisation",
    "SMBus initialisation",
    "keyboard controller initialisation",
    "management controller initialisation",
    "docking station attachment",
    "docking station enabled",
    "docking station ejection",
    "docking station disabled",
    "calling the OS wake-up vector",
    "starting the OS",
    "board initialisation",
    "",
    "floppy initialisation",
    "keyboard test",
    "pointing device test",
    "primary processor initialisation",
];

/// The text for the second byte of an event with this offset: 0 error, 1 hang, 2 progress.
pub(super) fn text(offset: u8, code: u8) -> Option<&'static str> {
    let table: &[&str] = if offset == 0 { &ERRORS } else { &PROGRESS };
    let text = table.get(usize::from(code)).copied();
    text.filter(|text| offset <= 2 && !text.is_empty())
}
