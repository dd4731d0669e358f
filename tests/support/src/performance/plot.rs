//! The plot: how much of its limit each ratio uses.

use std::fmt::Write as _;

use super::Run;
use crate::ratios::RATIOS;

const ROW: u32 = 24;
const TOP: u32 = 44;
const WIDTH: u32 = 760;
/// Where bars begin.
const LEFT: u32 = 190;
/// How long a bar is that is at its limit.
const FULL: f64 = 400.0;

/// By the theme of whoever looks at it.
const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.bar { fill: #2f6f4f; } .past { fill: #b3261e; }
.limit { stroke: #1f2328; stroke-width: 1.5; } .goal { stroke: #57606a; stroke-width: 1.5; stroke-dasharray: 3 2; }
.ground { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .ground { fill: #0d1117; }
  .bar { fill: #4fae7f; } .past { fill: #f2726a; }
  .limit { stroke: #e6edf3; } .goal { stroke: #9da7b3; }
}
";

/// As SVG.
#[must_use]
pub fn plot(run: &Run) -> String {
    let rows = u32::try_from(RATIOS.len()).unwrap_or(0);
    let height = TOP + rows * ROW + 16;
    let limit = f64::from(LEFT) + FULL;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"each ratio as a part of its limit\">\n<style>\n{STYLE}</style>\n\
         <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text x=\"12\" y=\"22\">part of its limit that each ratio uses; dashed: a goal that it does \
         not reach</text>\n\
         <text x=\"{limit:.0}\" y=\"22\" text-anchor=\"middle\">limit</text>\n"
    );
    for (row, place) in RATIOS.iter().zip(0..) {
        let Some(measured) = run.measured.iter().find(|measured| measured.name == row.name) else {
            continue;
        };
        let (y, used) = (TOP + place * ROW, row.limit.used_by(measured.ratio));
        let length = (used * FULL).min(f64::from(WIDTH - LEFT) - 60.0);
        let class = if used > 1.0 { "past" } else { "bar" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"15\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{}\">{:.2}</text>",
            LEFT - 10,
            y + 12,
            row.name,
            f64::from(LEFT) + length.max(FULL) + 10.0,
            y + 12,
            measured.ratio,
        );
        if let Some(missed) = &row.missed {
            let goal = f64::from(LEFT) + FULL * row.limit.used_by(goal_of(missed.goal));
            let _ = writeln!(
                svg,
                "<line class=\"goal\" x1=\"{goal:.1}\" x2=\"{goal:.1}\" y1=\"{}\" y2=\"{}\"/>",
                y - 3,
                y + 18
            );
        }
    }
    let _ = writeln!(
        svg,
        "<line class=\"limit\" x1=\"{limit:.1}\" x2=\"{limit:.1}\" y1=\"{}\" y2=\"{}\"/>\n</svg>",
        TOP - 10,
        TOP + rows * ROW
    );
    svg
}

const fn goal_of(limit: crate::ratios::Limit) -> f64 {
    match limit {
        crate::ratios::Limit::AtMost(value) | crate::ratios::Limit::AtLeast(value) => value,
    }
}
