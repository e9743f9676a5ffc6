//! The faults of a configuration, collected rather than thrown one by one, so that an operator corrects
//! a file once. It must not hold a setting's value: values may be secrets, and faults are printed.

use std::fmt;

/// So many faults are told at once; a file with more is the wrong file.
pub(super) const CONFIG_FAULTS_MAX: usize = 100;

/// Says what is wrong with a section whose fields could all be read.
pub trait Validate {
    /// Adds every fault of this section, paths relative to the section.
    fn faults(&self, faults: &mut Faults);
}

/// One fault: where, and what is wrong and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// The setting's path in the file (`server.listen`), or the file or variable itself.
    pub path: String,
    /// What is wrong and what to do, without the setting's value where that could be a secret.
    pub message: String,
}

/// Collects faults while sections are checked.
#[derive(Debug, Default)]
pub struct Faults {
    section: String,
    found: Vec<ConfigFault>,
}

impl Faults {
    /// Adds a fault at `path`, relative to the section being checked.
    pub fn add(&mut self, path: impl AsRef<str>, message: impl Into<String>) {
        let path = format!("{}{}", self.section, path.as_ref());
        // One fault a setting: a value that could not be read was replaced by its default, about which
        // nothing more should be said.
        if self.found.len() < CONFIG_FAULTS_MAX
            && !self.found.iter().any(|fault| fault.path == path)
        {
            self.found.push(ConfigFault {
                path,
                message: message.into(),
            });
        }
    }

    /// Checks a nested section, so that its faults carry its name.
    pub fn section(&mut self, name: &str, section: &impl Validate) {
        let outer = self.section.len();
        self.section.push_str(name);
        self.section.push('.');
        section.faults(self);
        self.section.truncate(outer);
    }

    /// Adds a fault unless `number` lies within `least..=most`.
    pub fn within<N: PartialOrd + fmt::Display>(
        &mut self,
        path: &str,
        number: N,
        least: N,
        most: N,
    ) {
        if number < least || number > most {
            self.add(
                path,
                format!("{number} is out of range, set {least} to {most}"),
            );
        }
    }

    /// Whether a fault stands at this path already.
    pub(super) fn has(&self, path: &str) -> bool {
        self.found.iter().any(|fault| fault.path == path)
    }

    /// All faults, or none.
    pub(super) fn into_result(self) -> Result<(), ConfigFaults> {
        if self.found.is_empty() {
            Ok(())
        } else {
            Err(ConfigFaults(self.found))
        }
    }
}

/// Everything that is wrong with a configuration, one fault a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFaults(pub Vec<ConfigFault>);

impl std::error::Error for ConfigFaults {}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}: {}", fault.path, fault.message)?;
        }
        Ok(())
    }
}
