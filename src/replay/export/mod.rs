//! One run as a file that proves itself: NDJSON with byte-exact entries, and a signed head that says where it ends.
//!
//! The lines, each sealed JSON followed by a newline:
//!
//! 1. `{"export":{"format":1,"store":…,"trajectory":…}}`
//! 2. `{"entry":{"blobs":[…],"header":…,"record":…,"signature":…}}` for each authority entry that the run refers to, by seq
//! 3. the same for each entry of the run, by seq
//! 4. `{"head":{"signature":…,"statement":…}}`
//!
//! The statement holds the hash of all bytes before it, so no byte can change unnoticed.

mod line;
mod read;

pub use line::{ExportStart, HeadStatement, Line, LineEntry, SignedHead};
pub(super) use read::verify_by;
pub use read::{MAX_AUTHORITY_BYTES, MAX_AUTHORITY_ENTRIES, MAX_LINE_BYTES, verify};

/// The export format that this crate writes and reads.
pub const EXPORT_FORMAT: u32 = 1;
