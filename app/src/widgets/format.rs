//! How numbers, shapes and times are written on screen: few digits, fixed places, units in plain words.

use std::cell::Cell;

/// A number with about four significant digits: `3.142`, `0.01235`, `1.2e-7`, `12 340`.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        "not a number".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "infinite".to_owned() } else { "−infinite".to_owned() }
    } else if size == 0.0 {
        "0".to_owned()
    } else if !(1e-4..1e6).contains(&size) {
        exponent(value)
    } else if size >= 9999.5 {
        grouped(value.round())
    } else {
        // From 0.1 up three places line up in a column; below, four digits.
        let places = if size >= 0.1 {
            3 - size.log10().floor().max(0.0) as usize
        } else {
            7.min(3 - size.log10().floor() as i32) as usize
        };
        minus(&format!("{value:.places$}"))
    }
}

/// A number for a narrow column: three significant digits.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || size == 0.0 || size >= 999.5 {
        return number(value);
    }
    if size < 1e-3 {
        return exponent_short(value);
    }
    let places = (2 - size.log10().floor() as i32).max(0) as usize;
    minus(&format!("{value:.places$}"))
}

/// A number on an axis: as short as it can be without losing the step.
pub fn tick(value: f64) -> String {
    let size = value.abs();
    if size < 1e-12 {
        "0".to_owned()
    } else if !(1e-3..1e5).contains(&size) {
        exponent_short(value)
    } else {
        let text = format!("{value:.4}");
        minus(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

fn exponent(value: f64) -> String {
    minus(&format!("{value:.2e}"))
}

fn exponent_short(value: f64) -> String {
    let text = format!("{value:.1e}");
    minus(&text.replace(".0e", "e"))
}

fn minus(text: &str) -> String {
    text.replace('-', "−")
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push('\u{a0}');
        }
        out.push(digit);
    }
    if value < 0.0 { format!("−{out}") } else { out }
}

/// A whole number in groups of three digits.
pub fn count(value: usize) -> String {
    grouped(value as f64)
}

/// “1 layer”, “12 layers”.
pub fn counted(value: usize, one: &str, many: &str) -> String {
    if value == 1 { format!("1 {one}") } else { format!("{} {many}", count(value)) }
}

/// Sizes joined by ×: `64×3×7×7`.
pub fn shape(sizes: &[usize]) -> String {
    if sizes.is_empty() {
        return "scalar".to_owned();
    }
    sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join("×")
}

/// A share in percent with one place.
pub fn percent(share: f64) -> String {
    minus(&format!("{:.1} %", share * 100.0))
}

/// A relative difference in percent with its sign; tiny ones as a power of ten.
pub fn signed_percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent.abs() < 0.005 && percent != 0.0 {
        return format!("{}{} %", if percent > 0.0 { "+" } else { "" }, exponent_short(percent));
    }
    let text = format!("{percent:+.2} %");
    minus(&text)
}

/// A relative rise: in percent, from ten times on as a factor.
pub fn rise(share: f64) -> String {
    if share < 9.0 { signed_percent(share) } else { format!("× {}", number(share + 1.0)) }
}

thread_local! {
    static VARYING_HIDDEN: Cell<bool> = const { Cell::new(false) };
}

/// Write “– s” for every duration on this thread, and devices without their number of threads: pictures that are
/// compared must depend neither on the clock nor on the machine.
pub fn hide_what_varies() {
    VARYING_HIDDEN.set(true);
}

/// A device as the engine describes it: “Processor, 2 threads”.
pub fn device(description: &str) -> &str {
    match description.split_once(", ") {
        Some((name, threads)) if VARYING_HIDDEN.get() && threads.contains("thread") => name,
        _ => description,
    }
}

/// Milliseconds since 1970, UTC; on a thread that hides what varies always the same.
pub fn clock_millis() -> i64 {
    if VARYING_HIDDEN.get() {
        return 1_788_220_800_000;
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 is 1970.
    now.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Seconds since 1970, UTC; on a thread that hides what varies always the same.
pub fn clock() -> i64 {
    clock_millis() / 1000
}

/// A stretch of time in one unit: “12 min”, “3 h”, “5 days”.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", count((seconds / 86_400) as usize)),
    }
}

/// A duration.
pub fn seconds(value: f64) -> String {
    if VARYING_HIDDEN.get() {
        return "– s".to_owned();
    }
    if value < 0.001 {
        format!("{:.0} µs", value * 1e6)
    } else if value < 1.0 {
        format!("{:.0} ms", value * 1e3)
    } else if value < 100.0 {
        format!("{value:.1} s")
    } else {
        format!("{:.0} min {:02.0} s", (value / 60.0).floor(), value % 60.0)
    }
}

/// One field of a CSV line, quoted where it must be.
pub fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// One CSV line from its fields, with its line end.
pub fn csv_line<S: AsRef<str>>(fields: impl IntoIterator<Item = S>) -> String {
    let fields: Vec<String> = fields.into_iter().map(|field| csv_field(field.as_ref())).collect();
    fields.join(",") + "\n"
}

/// A file name from free text: letters, digits, dots and dashes.
pub fn file_stem(text: &str) -> String {
    let cleaned: String =
        text.chars().map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' }).collect();
    let trimmed = cleaned.trim_matches(['-', '.']);
    if trimmed.is_empty() { "plumb".to_owned() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits() {
        assert_eq!(number(3.21987), "3.220");
        assert_eq!(number(0.0123456), "0.01235");
        assert_eq!(number(-12345.0), "−12\u{a0}345");
        assert_eq!(number(1.2e-7), "1.20e−7");
        assert_eq!(number(0.0), "0");
        assert_eq!(tick(0.5), "0.5");
        assert_eq!([0.0086592, -0.00002, 0.283, 12.371].map(short), ["0.00866", "−2e−5", "0.283", "12.4"]);
        assert_eq!(signed_percent(-0.0123), "−1.23 %");
        assert_eq!(rise(-0.0123), "−1.23 %");
        assert!(rise(263.0).starts_with("× 264"), "{}", rise(263.0));
        assert_eq!(shape(&[64, 3, 7, 7]), "64×3×7×7");
    }

    #[test]
    fn csv_quotes_only_where_needed() {
        assert_eq!(csv_line(["a", "b,c", "d\"e"]), "a,\"b,c\",\"d\"\"e\"\n");
        assert_eq!(file_stem("layer 1/conv.weight"), "layer-1-conv.weight");
    }
}
