//! Figures as Prometheus reads them.

/// What `/metrics` says.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures(Vec<(String, f64)>);

impl Figures {
    /// Reads it; what is no figure is passed over.
    pub(super) fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(
            lines
                .filter_map(|line| line.rsplit_once(' '))
                .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
                .collect(),
        )
    }

    /// The sum of a family, over those of its series that have this label; all if it is empty.
    pub(super) fn sum(&self, family: &'static str, label: &str) -> f64 {
        self.of(family).filter(|(labels, _)| labels.contains(label)).map(|(_, value)| value).sum()
    }

    /// The values of a label in those series of a family that are not 0.
    pub(super) fn raised(&self, family: &'static str, label: &str) -> Vec<&str> {
        let begin = format!("{label}=\"");
        let raised = self.of(family).filter(|(_, value)| *value != 0.0);
        raised.filter_map(|(labels, _)| labels.split_once(&begin)?.1.split('"').next()).collect()
    }

    fn of(&self, family: &'static str) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().filter_map(move |(name, value)| {
            let rest = name.strip_prefix(family)?;
            (rest.is_empty() || rest.starts_with('{')).then_some((rest, *value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_summed_and_what_is_raised_is_named() {
        let figures = Figures::read(
            "# HELP a b\na 3\na_total 9\nb{kind=\"spent\",model=\"x\"} 4\nb{kind=\"saved\",model=\"x\"} 5\n\
             c{dependency=\"store\"} 0\nc{dependency=\"cache\"} 1\njunk\nd NaN?\n",
        );
        assert_eq!((figures.sum("a", ""), figures.sum("b", ""), figures.sum("b", "kind=\"spent\"")), (3.0, 9.0, 4.0));
        assert_eq!(figures.raised("c", "dependency"), ["cache"]);
        assert_eq!(figures.sum("nothing", ""), 0.0);
    }
}
