//! The client against small servers, most of them hostile.
