//! Sessions of both sides against one another, over a line that loses, repeats and damages; and each
//! side against other implementations.

mod commands;
mod console;
mod fuzzed;
mod hostile;
mod line;
mod machine;
mod peers;
mod server;
mod sessions;
mod tools;
