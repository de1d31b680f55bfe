//! `vhd-headers`
