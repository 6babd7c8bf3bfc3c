//! Reports as tables that other programs read: one line per layer, values separated by commas.

use super::{ClipReport, SpectrumReport};

/// A field in quotes where it needs them (RFC 4180).
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

fn shape(shape: &[usize]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

fn name<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

impl SpectrumReport {
    /// The layers as CSV; singular values stand in one field, separated by spaces.
    pub fn to_csv(&self) -> String {
        let mut text = "name,op,weight_shape,input_shape,output_shape,geometry_source,sigma1,reshaped_norm,frobenius,\
                        stable_rank,condition,method,iterations,residual,converged,seconds,sigma,problem\n"
            .to_owned();
        for row in &self.layers {
            let sigma = row.sigma.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            let fields = [
                field(&row.name),
                name(&row.op),
                shape(&row.weight_shape),
                shape(&row.input_shape),
                shape(&row.output_shape),
                name(&row.geometry_source),
                row.sigma.first().map(ToString::to_string).unwrap_or_default(),
                row.reshaped_norm.to_string(),
                row.frobenius.to_string(),
                row.stable_rank.to_string(),
                row.condition.map(|c| c.to_string()).unwrap_or_default(),
                name(&row.method),
                row.iterations.to_string(),
                row.residual.to_string(),
                row.converged.to_string(),
                row.seconds.to_string(),
                sigma,
                field(row.problem.as_deref().unwrap_or_default()),
            ];
            text.push_str(&fields.join(","));
            text.push('\n');
        }
        text
    }
}

impl ClipReport {
    /// The layers as CSV.
    pub fn to_csv(&self) -> String {
        let mut text = "name,before,after,steps,reached,weight_change,seconds,problem\n".to_owned();
        for row in &self.layers {
            let fields = [
                field(&row.name),
                row.before.to_string(),
                row.after.to_string(),
                row.steps.to_string(),
                row.reached.to_string(),
                row.weight_change.to_string(),
                row.seconds.to_string(),
                field(row.problem.as_deref().unwrap_or_default()),
            ];
            text.push_str(&fields.join(","));
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ClippedLayer;

    #[test]
    fn names_with_commas_are_quoted() {
        let layer = ClippedLayer {
            name: "a,\"b\"".to_owned(),
            before: 2.0,
            after: 1.0,
            steps: 3,
            reached: true,
            weight_change: 0.5,
            seconds: 0.0,
            problem: None,
        };
        let text = ClipReport { layers: vec![layer], ..ClipReport::default() }.to_csv();
        assert!(text.ends_with("\"a,\"\"b\"\"\",2,1,3,true,0.5,0,\n"), "{text}");
    }
}
