//! Parent → child: which runs a run has started, and what came of them.

mod children;

pub use children::{Child, ChildFault, Children, Returned};
