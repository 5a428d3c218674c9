//! Do users stand on a whole generation, does Spack know it, and do ledger and folders agree?

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::{Finding, some};
use crate::base::Result;
use crate::generation::series::entry::Progress;
use crate::generation::series::ledger::Ledger;
use crate::generation::series::place::Place;
use crate::generation::series::unlisted;
use crate::site::Cx;
use crate::spack::drive::session::Scope;
use crate::spack::environment;
use crate::world::fs::eyes::FileKind;
use crate::world::fs::real::is_within;

pub const CHECK: Check = Check {
    name: "generations",
    doc: "What users follow leads to a whole generation that Spack knows, and the ledger agrees with the folders.",
    needs: &["configuration"],
    timeout: super::QUICK,
    optional: true,
    run,
};

fn run(look: CheckContext) -> Looking {
    Box::pin(look.blocking(judge))
}

fn judge(look: &CheckContext) -> Result<Vec<Finding>> {
    let cx = &look.cx;
    let names = Place::names(cx)?;
    if names.is_empty() {
        return Ok(vec![Finding::skipped("there are no generations")]);
    }
    let mut out = Vec::new();
    for name in names {
        let Ok(place) = Place::of(cx, &name) else {
            let message = format!("{name} in the folder of generations is not one of moonstack's");
            out.push(Finding::warn(message).about(name).fix("move it elsewhere"));
            continue;
        };
        let mut found = series(cx, place)?;
        if found.is_empty() {
            found.push(Finding::pass("users, ledger, folders and Spack's list agree"));
        }
        out.extend(found.into_iter().map(|finding| finding.about(name.clone())));
    }
    Ok(out)
}

fn series(cx: &Cx, place: Place) -> Result<Vec<Finding>> {
    let ledger = match Ledger::read(cx, place) {
        Ok(ledger) => ledger,
        Err(trouble) => {
            let finding = Finding::fail(trouble.message().to_owned());
            return Ok(vec![match trouble.hints().first() {
                Some(hint) => finding.fix(hint.clone()),
                None => finding,
            }]);
        }
    };
    if let Some(owner) = ledger.owner()
        && !owner.is_here(cx)?
    {
        return Ok(vec![Finding::skipped(format!("they are of another Spack, {}", owner.spack.display()))]);
    }
    let mut out = Vec::new();
    out.extend(link(cx, &ledger)?);
    if let Ok(Some(number)) = ledger.place.current(cx) {
        out.extend(current(cx, &ledger, number)?);
    }
    out.extend(listed(cx, &ledger)?);
    out.extend(folders(cx, &ledger)?);
    Ok(out)
}

/// What stands where users follow a link. None stands there before the first publication.
fn link(cx: &Cx, ledger: &Ledger) -> Result<Option<Finding>> {
    let (eyes, place) = (&*cx.world.eyes, &ledger.place);
    let link = &place.link;
    let shown = link.display();
    let back = format!("moonstack generation rollback {}", place.name);
    let Some(stat) = there(eyes.lstat(link))? else {
        let was_published = ledger.publications().last().map(|p| p.number);
        return Ok(was_published.map(|number| {
            Finding::fail(format!("{shown} is gone; users were on generation {number}"))
                .fix(format!("{back} --to {number}"))
        }));
    };
    if stat.kind != FileKind::Link {
        let message = format!("{shown} is no link: somebody has replaced it");
        return Ok(Some(Finding::fail(message).fix(format!("move it away, then {back}"))));
    }
    let target = eyes.read_link(link)?;
    let problem = if place.current(cx).is_err() {
        let outside = !is_within(eyes, link, &place.folder);
        let end = if outside { "outside of the generations" } else { "to no generation" };
        format!("{shown} leads to {}, {end}", target.display())
    } else if !eyes.is_folder(link)? {
        format!("{shown} is a dangling link to {}", target.display())
    } else {
        return Ok(None);
    };
    Ok(Some(Finding::fail(problem).fix(back)))
}

/// What users are on.
fn current(cx: &Cx, ledger: &Ledger, number: u64) -> Result<Vec<Finding>> {
    let (eyes, name) = (&*cx.world.eyes, &ledger.place.name);
    let folder = ledger.place.generation(number);
    let mut out = Vec::new();
    if !eyes.is_folder(&folder)? {
        return Ok(out);
    }
    if eyes.is_file(&folder.join("spack.lock"))? {
        let inside = Scope::open(cx, Some(&folder.display().to_string()))?;
        let views = crate::spack::change::around::view::view_roots(cx, &inside)?;
        for view in views {
            if !eyes.exists(&view)? {
                let message = format!(
                    "the view {} of generation {number}, which users are on, is gone",
                    view.display()
                );
                out.push(Finding::fail(message).fix(format!("moonstack env refresh {}", folder.display())));
            }
        }
    } else {
        out.push(
            Finding::fail(format!("generation {number}, which users are on, has lost its spack.lock"))
                .fix(format!("moonstack generation rollback {name}")),
        );
    }
    let last = ledger.publications().last().map(|publication| publication.number);
    if last != Some(number) {
        let message = format!("users are on generation {number}, and the ledger does not know since when");
        out.push(Finding::warn(message).fix(format!("moonstack generation prove {name} --number {number}")));
    }
    Ok(out)
}

/// Spack's garbage collection takes what only an unlisted environment needs.
fn listed(cx: &Cx, ledger: &Ledger) -> Result<Option<Finding>> {
    let (eyes, outside) = (&*cx.world.eyes, Scope::open(cx, None)?);
    let known = environment::list(eyes, &outside.config)?;
    let mut unknown = Vec::new();
    for (number, entry) in ledger.entries().iter().filter(|(_, entry)| entry.progress >= Progress::Built) {
        let folder = ledger.place.generation(*number);
        if entry.removing.is_none()
            && eyes.is_folder(&folder)?
            && environment::in_folder(eyes, &known, &folder).is_none()
        {
            unknown.push(number.to_string());
        }
    }
    let name = &ledger.place.name;
    Ok((!unknown.is_empty()).then(|| {
        let message =
            format!("Spack does not list generation {}: `spack gc` takes what it needs", some(&unknown));
        Finding::fail(message).fix(format!("moonstack generation claim {name}"))
    }))
}

/// The ledger against the folders.
fn folders(cx: &Cx, ledger: &Ledger) -> Result<Vec<Finding>> {
    let (eyes, name, mut out) = (&*cx.world.eyes, &ledger.place.name, Vec::new());
    let mut gone = Vec::new();
    for (number, entry) in ledger.entries() {
        if entry.removing.is_some() {
            let why = entry.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            let message = format!("generation {number} was removed in part{why}");
            out.push(Finding::warn(message).fix(format!("moonstack generation remove {name} {number}")));
        } else if entry.progress >= Progress::Built && !eyes.is_folder(&ledger.place.generation(*number))? {
            gone.push(number.to_string());
        }
    }
    if !gone.is_empty() {
        let message = format!("the folder of generation {} is gone", some(&gone));
        out.push(
            Finding::fail(message).fix(format!("moonstack generation remove {name} NUMBER forgets one")),
        );
    }
    let strange = unlisted::foreign(cx, &ledger.place)?;
    if !strange.is_empty() {
        let message = format!("{} beside the generations is not moonstack's, and stays", some(&strange));
        out.push(Finding::warn(message).fix("move it elsewhere"));
    }
    Ok(out)
}

fn there<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Err(trouble) if trouble.is(crate::base::Kind::NotFound) => Ok(None),
        other => other.map(Some),
    }
}
