//! Secrets neither reach the ledger nor leave a tool, and nothing else is touched.

mod corpus;
