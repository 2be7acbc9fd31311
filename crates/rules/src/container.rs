//! Containers as they show in the paths of control groups.
//!
//! What a path tells is an id (Docker, Podman, containerd, CRI-O, with and without systemd) or a name (LXC, systemd-nspawn). The names that
//! Docker and Kubernetes give to containers are not in it.

/// Ids are so long.
const ID: usize = 64;
/// What is shown of an id; as much of it, or more, is enough to name it.
const SHOWN: usize = 12;

/// The container that a path of a control group belongs to: of several within one another, the innermost.
pub fn in_path(path: &str) -> Option<&str> {
    let mut found = None;
    let mut before = "";
    for part in path.split('/').filter(|part| !part.is_empty()) {
        found = in_part(before, part).or(found);
        before = part;
    }
    found
}

/// Whether a pattern without wildcards is the beginning of this id.
pub(crate) fn is_beginning(pattern: &str, id: &str) -> bool {
    pattern.len() >= SHOWN && is_hex(pattern) && id.len() == ID && id.starts_with(pattern)
}

fn in_part<'a>(before: &str, part: &'a str) -> Option<&'a str> {
    let scope = part.strip_suffix(".scope");
    let id = match scope {
        Some(name) => name.rsplit_once('-').map_or(name, |(_runtime, id)| id),
        // Podman without systemd.
        None => part.strip_prefix("libpod-").unwrap_or(part),
    };
    if id.len() == ID && is_hex(id) {
        return Some(id);
    }
    let name = match (before, scope) {
        (_, Some(scope)) => scope.strip_prefix("machine-"),
        ("lxc", None) => Some(part),
        (_, None) => part.strip_prefix("lxc.payload."),
    };
    name.filter(|name| !name.is_empty())
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_of_all_kinds_are_found_in_their_paths() {
        let id = "0123456789abcdef".repeat(4);
        for path in [
            format!("/system.slice/docker-{id}.scope"),
            format!("/docker/{id}"),
            format!("/libpod_parent/libpod-{id}"),
            format!("/machine.slice/libpod-{id}.scope/container"),
            format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope"),
            format!(
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-containerd-{id}.scope"
            ),
            format!("/kubepods/besteffort/pod8c2b/{id}"),
            format!("/kubepods.slice/crio-{id}.scope"),
        ] {
            assert_eq!(in_path(&path), Some(id.as_str()), "{path}");
        }
        assert_eq!(in_path("/lxc.payload.web/system.slice/ssh.service"), Some("web"));
        assert_eq!(in_path("/lxc/web/init"), Some("web"));
        assert_eq!(in_path("/machine.slice/machine-fedora.scope"), Some("fedora"));
        for path in ["/", "", "/user.slice/user-1000.slice/session-2.scope", "/system.slice/docker.service"] {
            assert_eq!(in_path(path), None, "{path}");
        }
    }

    #[test]
    fn an_id_may_be_named_by_what_is_shown_of_it() {
        let id = "0123456789abcdef".repeat(4);
        assert!(is_beginning("0123456789ab", &id) && is_beginning(&id, &id));
        assert!(!is_beginning("0123456789a", &id), "too short to be certain");
        assert!(!is_beginning("123456789abc", &id));
        assert!(!is_beginning("web", "web"));
    }
}
