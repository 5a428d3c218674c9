//! Where configuration, state, history and logs live.

use std::path::PathBuf;

use super::config::SiteConfig;
use crate::base::{Kind, Result, Trouble};

/// `$XDG_CONFIG_HOME/moonstack`, or below the home folder.
pub fn user_config() -> Option<PathBuf> {
    xdg("XDG_CONFIG_HOME", ".config")
}

/// `MOONSTACK_STATE`, the site file's `state`, then the XDG state folder. Where nothing names one, a folder for
/// temporary files is none: it is gone tomorrow, and others can make it before us.
pub fn state(config: &SiteConfig) -> Result<PathBuf> {
    std::env::var_os("MOONSTACK_STATE")
        .filter(|v| !v.is_empty())
        .map(PathBuf::from)
        .or_else(|| config.state.clone())
        .or_else(|| xdg("XDG_STATE_HOME", ".local/state"))
        .ok_or_else(|| {
            Trouble::new(Kind::Configuration, "no folder is known for moonstack's state: HOME is not set")
                .hint("set HOME, as cron does; or name the folder: `state` in the site file, or MOONSTACK_STATE")
        })
}

fn xdg(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |v: std::ffi::OsString| Some(PathBuf::from(v)).filter(|p| p.is_absolute());
    std::env::var_os(variable)
        .and_then(absolute)
        .or_else(|| std::env::var_os("HOME").and_then(absolute).map(|home| home.join(below_home)))
        .map(|base| base.join("moonstack"))
}
