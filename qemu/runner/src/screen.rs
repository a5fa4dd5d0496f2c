//! The look of a run on a terminal of 80 columns, on a narrow one, and on none.
