//! How everything stands at the end of a journey, as the services have it: what things are called, and states
//! that must be what the journey is to lead to. It must not know journeys.

use serde::{Serialize, Serializer};

/// What the services say of a journey, in the order in which it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending(Vec<Mark>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    name: &'static str,
    is: String,
    /// What it must be, one of these; none where it only names something.
    wanted: &'static [&'static str],
}

impl Ending {
    /// With something that has a name: a container, a declaration, a quantity.
    #[must_use]
    pub fn naming(mut self, name: &'static str, is: impl Into<String>) -> Ending {
        self.0.push(Mark {
            name,
            is: is.into(),
            wanted: &[],
        });
        self
    }

    /// With a state, which must be one of those wanted.
    #[must_use]
    pub fn with(
        mut self,
        name: &'static str,
        is: impl Into<String>,
        wanted: &'static [&'static str],
    ) -> Ending {
        self.0.push(Mark {
            name,
            is: is.into(),
            wanted,
        });
        self
    }

    /// Whether the journey has reached its end: every state is what it must be, and there is one.
    pub fn is_reached(&self) -> bool {
        let mut states = self.states().peekable();
        states.peek().is_some() && states.all(|mark| mark.wanted.contains(&mark.is.as_str()))
    }

    /// The states in one line, for people.
    pub fn told(&self) -> String {
        let states = self.states().map(|mark| {
            let is = if mark.is.is_empty() {
                "unknown"
            } else {
                &mark.is
            };
            format!("{} {is}", mark.name.replace('_', " "))
        });
        states.collect::<Vec<_>>().join(", ")
    }

    fn states(&self) -> impl Iterator<Item = &Mark> {
        self.0.iter().filter(|mark| !mark.wanted.is_empty())
    }
}

impl Serialize for Ending {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|mark| (mark.name, &mark.is)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(visit: &str, release: &str) -> Ending {
        Ending::default()
            .naming("container_number", "MSKU9070323")
            .with("container_visit", visit, &["DEPARTED"])
            .with("release", release, &["CONSUMED"])
    }

    #[test]
    fn a_journey_is_over_when_every_service_says_so() {
        assert!(ending("DEPARTED", "CONSUMED").is_reached());
        assert!(!ending("ARRIVED", "CONSUMED").is_reached());
        assert!(!ending("DEPARTED", "").is_reached());
        let named = Ending::default().naming("container_number", "MSKU9070323");
        assert!(!named.is_reached(), "nothing is known of it");
    }

    #[test]
    fn states_are_told_to_people_and_everything_to_machines() {
        let ending = ending("DEPARTED", "");
        assert_eq!(ending.told(), "container visit DEPARTED, release unknown");
        assert_eq!(
            serde_json::to_string(&ending).unwrap(),
            r#"{"container_number":"MSKU9070323","container_visit":"DEPARTED","release":""}"#
        );
    }
}
