//! The numeric loops of recurrent layers.

pub(crate) mod cells;
pub(crate) mod recurrence;
