//! What a machine's firmware does while it starts, and why it stops (IPMI v2.0, table 42-3, sensor type
//! 0x0f).

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

/// The words for the second byte of an event with this offset: 0 an error, 1 a hang, 2 progress.
pub(super) fn words(offset: u8, code: u8) -> Option<&'static str> {
    let table: &[&str] = if offset == 0 { &ERRORS } else { &PROGRESS };
    let words = table.get(usize::from(code)).copied();
    words.filter(|words| offset <= 2 && !words.is_empty())
}
