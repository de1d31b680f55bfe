//! `qcow-headers`
