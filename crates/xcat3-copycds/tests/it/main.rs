//! Imports real ISOs, made by xorriso as the distributions make theirs, with the program itself.

mod bad_input;
mod discs;
mod fuzzed;
mod interrupted;
mod kept;
mod netboot;
mod program;
