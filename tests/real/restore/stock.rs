//! The environments that restoring is tried on: a small one that is built for the test, and one of hundreds of specs
//! on a site that has them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::common::lab::LabSite;

/// An environment, and what may be done to it.
pub struct Stock {
    /// One root a line.
    pub manifest: String,
    pub add: Vec<String>,
    pub upgrade: (String, String),
    /// A setting of packages that changes what is solved.
    pub require: &'static str,
    pub edit: (&'static str, &'static str),
    /// What is missing has to come from here; else from source.
    pub mirror: Option<&'static str>,
    /// So many specs at least, and this in the view.
    pub specs: usize,
    pub shown: &'static str,
}

impl Stock {
    pub fn small() -> Stock {
        Stock {
            manifest: "spack:\n  include: [here.yaml]\n  specs:\n  - lab-app@1.0\n  - lab-big kib=8\n  view: true\n  \
                       concretizer: {unify: true}\n"
                .to_owned(),
            add: ["lab-zlib@1.2.13", "lab-hwloc", "lab-solver"].map(str::to_owned).to_vec(),
            upgrade: ("lab-app@1.0".to_owned(), "lab-app@2.0".to_owned()),
            require: "packages:lab-hdf5:require:[~mpi]",
            edit: ("view: true", "view: false"),
            mirror: None,
            specs: 7,
            shown: "bin/lab-app",
        }
    }

    /// Everything that is installed explicitly, each by its hash, but one of the builds of HDF5, which is there for
    /// the upgrade, and what only its dependencies brought along, which may be added.
    pub fn large(site: &LabSite) -> Result<Stock, Failed> {
        let records = site.records();
        let own = |r: &&Value| {
            r["installed"] == true && r["path"].as_str().is_some_and(|path| path.contains("/store/"))
        };
        let root = |(hash, r): (&String, &Value)| {
            format!("{}/{hash}", r["spec"]["name"].as_str().unwrap_or_default())
        };
        let wanted = |explicit: bool| {
            let all = records.iter().filter(|(_, r)| own(r) && (r["explicit"] == true) == explicit);
            all.map(root).collect::<Vec<_>>()
        };
        let (mut roots, add) = (wanted(true), wanted(false));
        let builds: Vec<String> = roots.iter().filter(|root| root.starts_with("hdf5/")).cloned().collect();
        let [from, .., to] = builds.as_slice() else {
            return Err("needs two explicit builds of hdf5".into());
        };
        roots.retain(|root| root != to);
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for record in records.values().filter(own) {
            *names.entry(record["spec"]["name"].as_str().unwrap_or_default()).or_default() += 1;
        }
        // Two builds of an extension of Python cannot be in one view.
        let twice: Vec<&str> = names
            .into_iter()
            .filter(|(name, n)| name.starts_with("py-") && *n > 1)
            .map(|(name, _)| name)
            .collect();
        let lines = roots.iter().fold(String::new(), |lines, root| lines + "  - " + root.as_str() + "\n");
        Ok(Stock {
            manifest: format!(
                "spack:\n  include: [here.yaml]\n  specs:\n{lines}  concretizer: {{unify: false}}\n  view: # one folder each\n    \
                 default:\n      root: .spack-env/view\n      projections: {{all: '{{name}}/{{version}}-{{hash:7}}'}}\n      \
                 exclude: [{}]\n",
                twice.join(", ")
            ),
            add,
            upgrade: (from.clone(), to.clone()),
            require: "packages:hdf5:require:[~shared]",
            edit: ("unify: false", "unify: when_possible"),
            mirror: Some("near"),
            specs: 200,
            shown: "hdf5/",
        })
    }
}

/// A site with the packages of another, and configuration and environments of its own.
pub fn beside(other: &LabSite, folder: &Path) -> Result<LabSite, Failed> {
    let config = folder.join("config");
    fs::create_dir_all(&config)?;
    let environments = |folder: &Path| format!("environments_root: {}/environments", folder.display());
    let from = other.folder.join("config");
    for entry in walkdir::WalkDir::new(&from).min_depth(1) {
        let entry = entry?;
        let to = config.join(entry.path().strip_prefix(&from)?);
        if entry.file_type().is_dir() {
            fs::create_dir(to)?;
        } else {
            let text = fs::read_to_string(entry.path())?;
            // Spack 0.23 solves one root after the other only where it might bootstrap, which it need not.
            let text = text.replace("enable: false", "enable: true");
            fs::write(to, text.replace(&environments(&other.folder), &environments(folder)))?;
        }
    }
    symlink(other.store().canonicalize()?, folder.join("store"))?;
    let mut env = other.env.clone();
    env.insert("SPACK_USER_CONFIG_PATH".to_owned(), config.display().to_string());
    Ok(LabSite { folder: folder.to_owned(), env })
}
