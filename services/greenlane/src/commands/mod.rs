//! The commands of every party, one file for each. A command turns its arguments into one request, asks the
//! service, and shows the answer. It must not decide anything nor check what a service checks: whatever is
//! wrong with a filing is the service's to say, all of it at once.

pub mod arguments;
pub mod audit;
pub mod broker;
pub mod declaration;
pub mod fabric;
pub mod filing;
pub mod gate;
pub mod haulier;
pub mod line;
pub mod list_file;
pub mod mandate;
pub mod officer;
pub mod operator;
pub mod rail;
pub mod show;
pub mod stock_list;
pub mod terminal;
pub mod timeline;
pub mod trader;
pub mod watch;
pub mod why;
