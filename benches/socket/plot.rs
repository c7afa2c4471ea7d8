//! A plot as SVG: lines over logarithmic axes.

use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// Left, right, top and bottom of the plot within the picture.
const MARGINS: [f64; 4] = [60.0, 110.0, 40.0, 50.0];
const COLOURS: [&str; 6] = ["#666666", "#c2185b", "#1565c0", "#2e7d32", "#ef6c00", "#6a1b9a"];

/// A named line.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// What a plot says.
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) across: &'static str,
    pub(crate) up: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// A logarithmic axis: from a value, to a value, at these places.
struct Axis {
    values: [f64; 2],
    places: [f64; 2],
}

impl Axis {
    /// Holds all values, and ends at whole powers of ten.
    fn over(values: impl Iterator<Item = f64> + Clone, places: [f64; 2]) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let most = values.fold(0.0, f64::max).log10().ceil().max(least + 1.0);
        Self { values: [least, most], places }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.log10() - self.values[0]) / (self.values[1] - self.values[0]);
        self.places[0] + share * (self.places[1] - self.places[0])
    }

    /// The powers of ten, with their places.
    fn marks(&self) -> impl Iterator<Item = (f64, f64)> {
        let powers = self.values[0] as i32..=self.values[1] as i32;
        powers.map(|power| 10_f64.powi(power)).map(|value| (value, self.place(value)))
    }
}

/// Logarithms have no zero: it stands where one would.
fn above_zero(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> + Clone {
    points.iter().filter(|(_, y)| y.is_finite() && *y > 0.0).map(|(x, y)| (x.max(1.0), *y))
}

impl Plot {
    pub(crate) fn svg(&self) -> String {
        let [left, right, top, bottom] = MARGINS;
        let all = self.lines.iter().flat_map(|line| above_zero(&line.points));
        let across = Axis::over(all.clone().map(|(x, _)| x), [left, WIDTH - right]);
        let up = Axis::over(all.map(|(_, y)| y), [HEIGHT - bottom, top]);
        let (low, high) = (HEIGHT - bottom, WIDTH - right);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
             <text x=\"{left}\" y=\"22\" font-size=\"15\">{}</text>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n\
             <text x=\"16\" y=\"{}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {})\">{}</text>\n",
            self.title,
            (left + high) / 2.0,
            HEIGHT - 12.0,
            self.across,
            HEIGHT / 2.0,
            HEIGHT / 2.0,
            self.up
        );
        for (value, x) in across.marks() {
            _ = write!(
                svg,
                "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{low}\" stroke=\"#dddddd\"/>\n\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{value}</text>\n",
                low + 16.0
            );
        }
        for (value, y) in up.marks() {
            _ = write!(
                svg,
                "<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{high}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/>\n\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>\n",
                left - 6.0,
                y + 4.0
            );
        }
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let points: Vec<_> = above_zero(&line.points).map(|(x, y)| (across.place(x), up.place(y))).collect();
            let text = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ");
            _ = writeln!(svg, "<polyline points=\"{text}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>");
            for (x, y) in &points {
                _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
            }
            if let Some((x, y)) = points.last() {
                let (x, y, name) = (x + 8.0, y + 4.0, line.name);
                _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{name}</text>");
            }
        }
        svg + "</svg>\n"
    }
}
