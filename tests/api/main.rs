//! The program seen from outside, in one test binary.

mod ai_server;
mod upstream;
