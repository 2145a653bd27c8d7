//! The graph of crates, as cargo tells it for this machine's target.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use super::tree::root;

/// One package of the graph.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) licence: Option<String>,
    /// `None` for a package of the tree.
    pub(crate) source: Option<String>,
    pub(crate) binaries: Vec<String>,
    pub(crate) needs: Vec<Need>,
}

/// A direct dependency.
pub(crate) struct Need {
    pub(crate) name: String,
    /// Only tests need it.
    pub(crate) only_tests: bool,
}

/// Every package that this machine's build or tests contain.
pub(crate) static PACKAGES: LazyLock<Vec<Package>> = LazyLock::new(|| {
    let about = String::from_utf8(Command::new("rustc").arg("-vV").output().unwrap().stdout).unwrap();
    let target = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let told = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(told.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&told.stderr));
    let built = built_packages(target);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let packages = told["packages"].as_array().unwrap();
    let name_of = |id: &Value| {
        let package = packages.iter().find(|package| package["id"] == *id).unwrap();
        package["name"].as_str().unwrap().to_owned()
    };
    let nodes = told["resolve"]["nodes"].as_array().unwrap();
    nodes
        .iter()
        .filter(|node| built.contains(&name_of(&node["id"])))
        .map(|node| {
            let package = packages.iter().find(|package| package["id"] == node["id"]).unwrap();
            let text = |field: &str| package[field].as_str().map(str::to_owned);
            let targets = package["targets"].as_array().unwrap();
            let is_binary = |target: &&Value| target["kind"].as_array().unwrap().iter().any(|kind| kind == "bin");
            let needs = node["deps"].as_array().unwrap().iter().map(|need| Need {
                name: name_of(&need["pkg"]),
                only_tests: need["dep_kinds"].as_array().unwrap().iter().all(|kind| kind["kind"] == "dev"),
            });
            Package {
                name: name_of(&node["id"]),
                licence: text("license"),
                source: text("source"),
                binaries: targets.iter().filter(is_binary).map(|t| t["name"].as_str().unwrap().to_owned()).collect(),
                needs: needs.collect(),
            }
        })
        .collect()
});

/// The names of what is really built: the metadata also contain what a feature nobody asks for would bring.
fn built_packages(target: &str) -> BTreeSet<String> {
    let told = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--edges", "normal,build,dev", "--prefix", "none"])
        .args(["--format", "{p}", "--target", target])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(told.status.success(), "cargo tree: {}", String::from_utf8_lossy(&told.stderr));
    let told = String::from_utf8(told.stdout).unwrap();
    told.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The packages of the tree.
pub(crate) fn members() -> impl Iterator<Item = &'static Package> {
    PACKAGES.iter().filter(|package| package.source.is_none())
}
