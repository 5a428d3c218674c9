//! The inner objects of a node, in each shape that a Spack release has written.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Arch, Dependency, EdgeTypes, External, NodeCompiler, Text, Value, sequence};

pub struct ArchPart<'a>(pub Arch<'a>);

#[derive(Deserialize)]
struct ArchFields<'a> {
    #[serde(borrow, default)]
    platform: Option<Text<'a>>,
    #[serde(borrow, default)]
    platform_os: Option<Text<'a>>,
    #[serde(borrow, default)]
    target: Option<Target<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for ArchPart<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = ArchFields::deserialize(deserializer)?;
        Ok(ArchPart(Arch {
            platform: fields.platform,
            os: fields.platform_os,
            target: fields.target.map(|t| t.0),
        }))
    }
}

/// A name, or an object that describes the processor.
struct Target<'a>(Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Target<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TargetVisitor;
        impl<'de> Visitor<'de> for TargetVisitor {
            type Value = Target<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a target, by name or described")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Target<'de>, E> {
                Ok(Target(Text(Cow::Borrowed(text))))
            }

            fn visit_str<E>(self, text: &str) -> Result<Target<'de>, E> {
                Ok(Target(Text(Cow::Owned(text.to_owned()))))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Target<'de>, A::Error> {
                let mut name = None;
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    if &*key == "name" {
                        name = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                name.map(Target).ok_or_else(|| A::Error::missing_field("name"))
            }
        }
        deserializer.deserialize_any(TargetVisitor)
    }
}

pub struct CompilerPart<'a>(pub NodeCompiler<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for CompilerPart<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            #[serde(borrow)]
            name: Text<'a>,
            #[serde(borrow, default)]
            version: Option<Text<'a>>,
            #[serde(borrow, default)]
            versions: Vec<Text<'a>>,
        }
        let fields = Fields::deserialize(deserializer)?;
        let version = fields.version.or_else(|| fields.versions.into_iter().next()).unwrap_or_default();
        Ok(CompilerPart(NodeCompiler { name: fields.name, version }))
    }
}

/// `gcc@=12.2.0`, as annotations keep it.
pub fn compiler_of<'a>(text: &Text<'a>) -> NodeCompiler<'a> {
    let split = |text: &str| {
        let (name, version) = text.split_once('@').unwrap_or((text, ""));
        (name.len(), text.len() - version.trim_start_matches('=').len())
    };
    let (name, version) = split(text);
    let part = |from: usize, to: usize| match &text.0 {
        Cow::Borrowed(text) => Text(Cow::Borrowed(text.get(from..to).unwrap_or(""))),
        Cow::Owned(text) => Text(Cow::Owned(text.get(from..to).unwrap_or("").to_owned())),
    };
    NodeCompiler { name: part(0, name), version: part(version, text.len()) }
}

pub struct Parameters<'a>(pub Vec<(Text<'a>, Value<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Parameters<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ParametersVisitor;
        impl<'de> Visitor<'de> for ParametersVisitor {
            type Value = Parameters<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("variants and flags")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters<'de>, A::Error> {
                let mut out: Vec<(Text<'de>, Value<'de>)> = Vec::with_capacity(16);
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    if out.iter().any(|(name, _)| *name == key) {
                        return Err(A::Error::custom(format!("the parameter '{key}' stands twice")));
                    }
                    let value = map.next_value()?;
                    out.push((key, value));
                }
                Ok(Parameters(out))
            }
        }
        deserializer.deserialize_map(ParametersVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;
        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the value of a variant")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
                Ok(Value::Bool(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
                Ok(Value::Text(Text(Cow::Owned(value.to_string()))))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
                Ok(text_value(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
                Ok(text_value(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Value<'de>, A::Error> {
                sequence(seq).map(Value::List)
            }
        }
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// Spack takes the words for the values.
fn text_value(text: Cow<'_, str>) -> Value<'_> {
    if text.eq_ignore_ascii_case("true") {
        Value::Bool(true)
    } else if text.eq_ignore_ascii_case("false") {
        Value::Bool(false)
    } else {
        Value::Text(Text(text))
    }
}

pub struct ExternalPart<'a>(pub External<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for ExternalPart<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            #[serde(borrow, default)]
            path: Option<Text<'a>>,
            #[serde(borrow, default)]
            module: Option<OneOrMany<'a>>,
            #[serde(borrow, default)]
            extra_attributes: Option<Extra<'a>>,
        }
        #[derive(Deserialize)]
        struct Extra<'a> {
            #[serde(borrow, default)]
            compilers: Option<Parameters<'a>>,
        }
        let fields = Fields::deserialize(deserializer)?;
        let compilers = fields.extra_attributes.and_then(|e| e.compilers).map_or(Vec::new(), |c| c.0);
        let texts = compilers.into_iter().filter_map(|(language, path)| match path {
            Value::Text(path) => Some((language, path)),
            _ => None,
        });
        Ok(ExternalPart(External {
            path: fields.path,
            modules: fields.module.map_or(Vec::new(), |m| m.0),
            compilers: texts.collect(),
        }))
    }
}

struct OneOrMany<'a>(Vec<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for OneOrMany<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(OneOrMany(match Value::deserialize(deserializer)? {
            Value::List(items) => items,
            Value::Text(item) => vec![item],
            Value::Bool(_) => return Err(D::Error::custom("modules are text")),
        }))
    }
}

#[derive(Deserialize)]
pub struct BuildSpec<'a> {
    #[serde(borrow)]
    pub hash: Text<'a>,
}

#[derive(Deserialize)]
pub struct Annotations<'a> {
    #[serde(default)]
    pub original_specfile_version: Option<u64>,
    #[serde(borrow, default)]
    pub compiler: Option<Text<'a>>,
}

pub struct Dependencies<'a>(pub Vec<Dependency<'a>>);

/// One dependency in any shape: `type` beside the hash, or both in `parameters`.
#[derive(Deserialize)]
struct DependencyFields<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    hash: Option<Text<'a>>,
    #[serde(borrow, default)]
    build_hash: Option<Text<'a>>,
    #[serde(borrow, default)]
    full_hash: Option<Text<'a>>,
    #[serde(rename = "type", default)]
    types: EdgeTypes,
    #[serde(borrow, default)]
    parameters: Option<EdgeFields<'a>>,
}

#[derive(Deserialize)]
struct EdgeFields<'a> {
    #[serde(default)]
    deptypes: EdgeTypes,
    #[serde(borrow, default)]
    virtuals: Vec<Text<'a>>,
    #[serde(default)]
    direct: bool,
}

fn dependency<'a, E: serde::de::Error>(
    name: Option<Text<'a>>,
    fields: DependencyFields<'a>,
) -> Result<Dependency<'a>, E> {
    let name = fields.name.or(name).ok_or_else(|| E::missing_field("name"))?;
    let hash = fields.hash.or(fields.full_hash).or(fields.build_hash);
    let hash = hash.ok_or_else(|| E::missing_field("hash"))?;
    Ok(match fields.parameters {
        Some(edge) => {
            Dependency { name, hash, types: edge.deptypes, virtuals: edge.virtuals, direct: edge.direct }
        }
        None => Dependency { name, hash, types: fields.types, virtuals: Vec::new(), direct: false },
    })
}

impl<'de: 'a, 'a> Deserialize<'de> for Dependencies<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DependenciesVisitor;
        impl<'de> Visitor<'de> for DependenciesVisitor {
            type Value = Dependencies<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("dependencies")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Dependencies<'de>, A::Error> {
                let mut out = Vec::new();
                while let Some(fields) = seq.next_element::<DependencyFields<'de>>()? {
                    out.push(dependency(None, fields)?);
                }
                Ok(Dependencies(out))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Dependencies<'de>, A::Error> {
                let mut out = Vec::new();
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    let fields = map.next_value::<DependencyFields<'de>>()?;
                    out.push(dependency(Some(name), fields)?);
                }
                Ok(Dependencies(out))
            }
        }
        deserializer.deserialize_any(DependenciesVisitor)
    }
}
