//! Where configuration, state, history and logs live.

use std::path::PathBuf;

use super::config::SiteConfig;

/// `$XDG_CONFIG_HOME/moonstack`, or below the home folder.
pub fn user_config() -> Option<PathBuf> {
    xdg("XDG_CONFIG_HOME", ".config")
}

/// `MOONSTACK_STATE`, the site file's `state`, then the XDG state folder.
pub fn state(config: &SiteConfig) -> PathBuf {
    std::env::var_os("MOONSTACK_STATE")
        .filter(|v| !v.is_empty())
        .map(PathBuf::from)
        .or_else(|| config.state.clone())
        .or_else(|| xdg("XDG_STATE_HOME", ".local/state"))
        .unwrap_or_else(|| std::env::temp_dir().join(format!("moonstack-{}", nix::unistd::getuid())))
}

fn xdg(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |v: std::ffi::OsString| Some(PathBuf::from(v)).filter(|p| p.is_absolute());
    std::env::var_os(variable)
        .and_then(absolute)
        .or_else(|| std::env::var_os("HOME").and_then(absolute).map(|home| home.join(below_home)))
        .map(|base| base.join("moonstack"))
}
