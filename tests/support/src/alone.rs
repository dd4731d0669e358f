//! Tests that run in a process of their own, whatever else runs beside them.

use std::any::type_name;
use std::env;
use std::process::Command;

const CHILD: &str = "ICN_TEST_ALONE";

/// Runs the body of a test in a process that does nothing else.
pub fn alone<F: FnOnce()>(body: F) {
    alone_as::<F>(body);
}

/// The same, where the body of the test is wrapped by another: `T` is its own closure, by
/// which the test is known.
pub fn alone_as<T>(body: impl FnOnce()) {
    if is_alone() { body() } else { again(&name::<T>(), |_| ()) }
}

/// The same, with variables in its environment.
pub fn alone_with<F: FnOnce()>(variables: &[(&str, &str)], body: F) {
    if is_alone() {
        body();
    } else {
        again(&name::<F>(), |command| {
            command.envs(variables.iter().copied());
        });
    }
}

pub(crate) fn is_alone() -> bool {
    env::var_os(CHILD).is_some()
}

/// The name of the test whose body this is.
pub(crate) fn name<F>() -> String {
    // `crate::module::test::{{closure}}`
    let name = type_name::<F>().trim_end_matches("::{{closure}}");
    name.split_once("::").unwrap().1.to_owned()
}

/// Runs this test once more, alone; `configure` tells the new process more.
pub(crate) fn again(name: &str, configure: impl FnOnce(&mut Command)) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, "");
    configure(&mut command);
    let output = command.output().unwrap();
    let lossy = String::from_utf8_lossy;
    let text = format!("{}\n{}", lossy(&output.stdout), lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{name} did not run: {text}");
    // Of the test itself, for who asks for it.
    print!("{}", lossy(&output.stdout));
}
