//! Images made to do harm: every one must give a tree inside of its bounds or an error, soon.
