//! What to tell a person whose run did not succeed.
