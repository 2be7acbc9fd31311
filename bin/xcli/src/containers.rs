//! Names of containers. The kernel knows ids alone; names are in the files of the engines, which root may read.
//!
//! Deliberately absent: asking an engine, which may wait, and engines that keep their files elsewhere than usual. Who may not read them
//! sees the beginning of the id, as the engines show it.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What is shown of an id.
const SHOWN: usize = 12;
/// The folder of Podman (also of CRI-O) with one of containers for each way to store layers.
const PODMAN: &str = "var/lib/containers/storage";
/// The folder of Docker with one for each container.
const DOCKER: &str = "var/lib/docker/containers";

/// Names of containers by their ids, as far as they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, String>);

#[derive(Deserialize)]
struct OfPodman {
    id: String,
    #[serde(default)]
    names: Vec<String>,
}

#[derive(Deserialize)]
struct OfDocker {
    #[serde(rename = "Name")]
    name: String,
}

impl Names {
    /// Those of the containers with these ids, below a root.
    pub(crate) fn of<'a>(ids: impl Iterator<Item = &'a str>, root: &Path) -> Names {
        let mut names = Names::default();
        let mut ids = ids.peekable();
        if ids.peek().is_none() {
            return names;
        }
        for folder in std::fs::read_dir(root.join(PODMAN)).into_iter().flatten().flatten() {
            let known: Option<Vec<OfPodman>> = read(&folder.path().join("containers.json"));
            for container in known.into_iter().flatten() {
                let name = container.names.into_iter().next();
                names.0.extend(name.map(|name| (container.id, name)));
            }
        }
        for id in ids.filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            let known: Option<OfDocker> = read(&root.join(DOCKER).join(id).join("config.v2.json"));
            names.0.extend(known.map(|known| (id.into(), known.name.trim_start_matches('/').into())));
        }
        names
    }

    /// The name, or as much of the id as is shown.
    pub(crate) fn show<'a>(&'a self, id: &'a str) -> &'a str {
        let short = id.get(..SHOWN).filter(|_| id.len() == 64).unwrap_or(id);
        self.0.get(id).map_or(short, String::as_str)
    }
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_the_files_of_podman_and_docker_and_ids_are_cut_otherwise() {
        let root = tempfile::tempdir().unwrap();
        let id = |digit: &str| digit.repeat(64);
        let write = |path: String, text: String| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let podman =
            format!(r#"[{{"id":"{}","names":["web"],"image":"x"}},{{"id":"{}"}}]"#, id("a"), id("b"));
        write(format!("{PODMAN}/overlay-containers/containers.json"), podman);
        write(format!("{PODMAN}/vfs-containers/containers.json"), "no json".into());
        write(format!("{DOCKER}/{}/config.v2.json", id("c")), r#"{"Name":"/db","State":{}}"#.into());
        let ids = ["a", "b", "c"].map(id);
        let names = Names::of(ids.iter().map(String::as_str).chain(["../x", "fedora"]), root.path());
        let shown = |id| names.show(id).to_owned();
        assert_eq!([shown(&ids[0]), shown(&ids[1]), shown(&ids[2])], ["web", "bbbbbbbbbbbb", "db"]);
        assert_eq!(shown("fedora"), "fedora", "a name already");
    }
}
