//! The allocator of every daemon, of SQLite inside it too.
//!
//! A request on very many nodes is served by several threads in turn. The C library's allocator keeps
//! what each of them freed for that thread alone and searches it ever longer, so that a daemon holds
//! several times what it needs and a large request costs more a node than a small one. This one
//! gives memory back and costs the same at any size.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
