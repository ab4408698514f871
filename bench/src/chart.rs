//! Charts as SVG: bars, curves and spans of time. Colours and text fit a light and a dark page.

use std::fmt::Write;

/// For each series a colour that is legible on white and on black.
const COLOURS: [&str; 5] = ["#d9622b", "#3f8fd0", "#8a8f98", "#3aa76d", "#b07cd8"];
const WIDTH: f64 = 760.0;
/// Where the drawing begins, right of the names.
const LEFT: f64 = 150.0;
/// What is kept free at the right.
const RIGHT: f64 = 70.0;

const STYLE: &str = "\
<style>text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:15px}.small{font-size:11px}\
.line{stroke:#8a8f98;stroke-opacity:.35}@media(prefers-color-scheme:dark){text{fill:#d6dbe1}}</style>\n";

/// A drawing in the making.
struct Drawing(String);

impl Drawing {
    fn new(height: f64, title: &str) -> Self {
        let mut text = String::new();
        let name = escape(title);
        let _ = writeln!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{name}\">"
        );
        text += STYLE;
        let mut drawing = Self(text);
        drawing.text(10.0, 22.0, "title", "start", title);
        drawing
    }

    fn text(&mut self, x: f64, y: f64, class: &str, anchor: &str, words: &str) {
        let words = escape(words);
        let _ = writeln!(
            self.0,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\" text-anchor=\"{anchor}\">{words}</text>"
        );
    }

    fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str) {
        let width = width.max(1.0);
        let _ = writeln!(
            self.0,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\" fill=\"{colour}\"/>"
        );
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64)) {
        let _ = writeln!(
            self.0,
            "<line class=\"line\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    fn end(mut self) -> String {
        self.0 += "</svg>\n";
        self.0
    }
}

fn escape(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[expect(clippy::cast_precision_loss, reason = "few")]
fn number(count: usize) -> f64 {
    count as f64
}

fn colour(index: usize) -> &'static str {
    COLOURS[index % COLOURS.len()]
}

/// The marks of an axis from 0 to `most`, at round values: the first at or above `most` is the last.
fn marks(most: f64) -> Vec<f64> {
    let rough = most.max(1e-6) / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|part| part * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    (0..=4).map(|part| number(part) * step).collect()
}

/// A value as short as it is still told apart.
fn short(value: f64) -> String {
    match value {
        value if value >= 100.0 || value.total_cmp(&0.0).is_eq() => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// Groups of bars: for each group its name, and a value for each series that has one.
#[must_use]
pub fn bars(title: &str, unit: &str, series: &[String], groups: &[(String, Vec<Option<f64>>)]) -> String {
    const BAR: f64 = 13.0;
    let rows: usize = groups.iter().map(|group| group.1.iter().flatten().count()).sum();
    let height = 60.0 + number(rows) * (BAR + 3.0) + number(groups.len()) * 12.0;
    let most = groups.iter().flat_map(|group| group.1.iter().flatten()).fold(0.0_f64, |a, b| a.max(*b));
    let mut drawing = Drawing::new(height, title);
    legend(&mut drawing, series, 44.0);
    let mut y = 62.0;
    for (name, values) in groups {
        drawing.text(LEFT - 8.0, y + 10.0, "", "end", name);
        for (index, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let width = value / most.max(f64::MIN_POSITIVE) * (WIDTH - LEFT - RIGHT);
            drawing.bar(LEFT, y, width, BAR, colour(index));
            drawing.text(
                LEFT + width + 5.0,
                y + 10.5,
                "small",
                "start",
                &format!("{} {unit}", short(*value)),
            );
            y += BAR + 3.0;
        }
        y += 12.0;
    }
    drawing.end()
}

fn legend(drawing: &mut Drawing, series: &[String], y: f64) {
    let mut x = LEFT;
    for (index, name) in series.iter().enumerate() {
        drawing.bar(x, y - 10.0, 11.0, 11.0, colour(index));
        drawing.text(x + 16.0, y, "small", "start", name);
        x += 46.0 + 6.0 * number(name.chars().count());
    }
}

/// A curve: its name, and its points.
pub type Curve = (String, Vec<(f64, f64)>);

/// Curves over `across`; places on the horizontal axis are in the order of the first curve's points, at equal distances, so that one and
/// a thousand fit beside each other.
#[must_use]
pub fn curves(title: &str, across: &str, unit: &str, curves: &[Curve]) -> String {
    const HEIGHT: f64 = 320.0;
    const TOP: f64 = 62.0;
    const BOTTOM: f64 = HEIGHT - 46.0;
    let mut places: Vec<f64> = curves.iter().flat_map(|curve| curve.1.iter().map(|point| point.0)).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let most = curves.iter().flat_map(|curve| &curve.1).fold(0.0_f64, |most, point| most.max(point.1));
    let marks = marks(most);
    let most = marks.last().copied().unwrap_or(most);
    let step = (WIDTH - 60.0 - RIGHT - 30.0) / number(places.len().saturating_sub(1)).max(1.0);
    let index = |x: f64| places.iter().position(|place| place.total_cmp(&x).is_eq()).unwrap_or_default();
    let x = |value: f64| 60.0 + number(index(value)) * step;
    let y = |value: f64| BOTTOM - value / most.max(f64::MIN_POSITIVE) * (BOTTOM - TOP);
    let mut drawing = Drawing::new(HEIGHT, title);
    let names: Vec<_> = curves.iter().map(|curve| curve.0.clone()).collect();
    legend(&mut drawing, &names, 44.0);
    for value in &marks {
        drawing.line((60.0, y(*value)), (WIDTH - RIGHT, y(*value)));
        drawing.text(54.0, y(*value) + 4.0, "small", "end", &short(*value));
    }
    for place in &places {
        drawing.text(x(*place), BOTTOM + 18.0, "small", "middle", &format!("{place:.0}"));
    }
    drawing.text((60.0 + WIDTH - RIGHT) / 2.0, BOTTOM + 38.0, "small", "middle", across);
    drawing.text(WIDTH - RIGHT + 8.0, TOP + 4.0, "small", "start", unit);
    for (number, (_, points)) in curves.iter().enumerate() {
        let path: Vec<_> =
            points.iter().map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1))).collect();
        let colour = colour(number);
        let _ = writeln!(
            drawing.0,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for point in points {
            let (x, y) = (x(point.0), y(point.1));
            let _ = writeln!(drawing.0, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
    }
    drawing.end()
}

/// A span of time: its name, the lane it is in, when it begins and how long it is.
pub type Span = (String, usize, f64, f64);

/// Spans of time beside each other, one below the other.
#[must_use]
pub fn spans(title: &str, unit: &str, lanes: &[String], spans: &[Span]) -> String {
    const ROW: f64 = 17.0;
    let marks = marks(spans.iter().fold(0.0_f64, |end, span| end.max(span.2 + span.3)));
    let end = marks.last().copied().unwrap_or_default();
    let height = 84.0 + number(spans.len()) * ROW;
    let mut drawing = Drawing::new(height, title);
    legend(&mut drawing, lanes, 44.0);
    let x = |at: f64| LEFT + 20.0 + at / end.max(f64::MIN_POSITIVE) * (WIDTH - LEFT - RIGHT - 20.0);
    for at in marks {
        drawing.line((x(at), 54.0), (x(at), height - 24.0));
        drawing.text(x(at), height - 8.0, "small", "middle", &format!("{at:.0} {unit}"));
    }
    for (row, (name, lane, begins, takes)) in spans.iter().enumerate() {
        let y = 58.0 + number(row) * ROW;
        drawing.text(LEFT + 12.0, y + 10.0, "small", "end", name);
        drawing.bar(x(*begins), y, x(begins + takes) - x(*begins), 12.0, colour(*lane));
        drawing.text(x(begins + takes) + 5.0, y + 10.0, "small", "start", &format!("{takes:.0}"));
    }
    drawing.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_all_that_is_opened_is_closed() {
        let series = ["a<b".to_owned(), "c".to_owned()];
        let drawn = bars("one & \"two\"", "ms", &series, &[("run".to_owned(), vec![Some(2.0), None])]);
        assert!(drawn.contains("a&lt;b") && drawn.contains("one &amp; &quot;two&quot;"), "{drawn}");
        assert_eq!(drawn.matches("<rect").count(), 2 + 1);
        assert_eq!(drawn.matches("<text").count(), drawn.matches("</text>").count());
        assert!(drawn.starts_with("<svg") && drawn.ends_with("</svg>\n"));
    }

    #[test]
    fn marks_are_round() {
        let words = |most| marks(most).into_iter().map(short).collect::<Vec<_>>().join(" ");
        assert_eq!(words(67_083.0), "0 20000 40000 60000 80000");
        assert_eq!(words(0.8), "0 0.20 0.40 0.60 0.80");
    }

    #[test]
    fn curves_and_spans_have_all_points() {
        let points = vec![(1.0, 3.0), (1000.0, 6.0)];
        let drawn =
            curves("t", "containers", "ms", &[("a".to_owned(), points.clone()), ("b".to_owned(), points)]);
        assert_eq!((drawn.matches("<circle").count(), drawn.matches("<polyline").count()), (4, 2));
        let drawn = spans("t", "µs", &["runtime".to_owned()], &[("parse".to_owned(), 0, 0.0, 10.0)]);
        assert_eq!(drawn.matches("<rect").count(), 2);
        assert!(!curves("t", "x", "y", &[]).contains("NaN"));
    }
}
