//! Tests of sessions: both ends against one another over a line that loses, repeats and damages datagrams,
//! the inputs that fuzzing found, and each end against other implementations.

mod commands;
mod console;
mod fuzzed;
mod hostile;
mod line;
mod machine;
mod peers;
mod programs;
mod server;
mod sessions;
mod tools;
