//! What holds on a real kernel. Runs in guest machines, as root, one test at a time.
