//! Compiles every `.proto` below `greenlane/` without an installed `protoc`,
//! keeping the method options: permissions are read from the same descriptors
//! that serve reflection, and the sizes of requests become a table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use protox::prost_reflect::DescriptorPool;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut files = Vec::new();
    collect(&root.join("greenlane"), &mut files)?;
    files.sort();
    println!("cargo:rerun-if-changed=greenlane");

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&files)?;
    let descriptors = compiler.file_descriptor_set();
    compiler.include_source_info(false);
    std::fs::write(
        out.join("greenlane.bin"),
        compiler.encode_file_descriptor_set(),
    )?;

    std::fs::write(
        out.join("request_sizes.rs"),
        request_sizes(&compiler.descriptor_pool())?,
    )?;

    let mut config = prost_build::Config::new();
    // A codec that tells requests from answers.
    config.enable_type_names();
    tonic_prost_build::configure()
        .bytes(".")
        .codec_path("crate::codec::BoundedCodec")
        .include_file("greenlane.rs")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}

/// The requests whose RPC says how large they may be, by full name, as a slice's expression.
fn request_sizes(pool: &DescriptorPool) -> Result<String, Box<dyn std::error::Error>> {
    let option = pool
        .get_extension_by_name("greenlane.common.v1.request_size")
        .ok_or("permission.proto has no request_size")?;
    let mut sizes = BTreeMap::new();
    for service in pool.services() {
        for method in service.methods() {
            let options = method.options();
            if !options.has_extension(&option) {
                continue;
            }
            let value = options.get_extension(&option);
            let of = |field: &str| {
                let size = value.as_message()?.get_field_by_name(field)?.as_u32()?;
                (size > 0).then_some(size)
            };
            let (Some(bytes_max), Some(fields_max)) = (of("bytes_max"), of("fields_max")) else {
                let name = method.full_name();
                return Err(format!("{name}: request_size needs bytes_max and fields_max").into());
            };
            sizes.insert(
                method.input().full_name().to_owned(),
                (bytes_max, fields_max),
            );
        }
    }
    let rows = sizes.into_iter().map(|(name, (bytes_max, fields_max))| {
        format!("({name:?}, RequestSize {{ bytes_max: {bytes_max}, fields_max: {fields_max} }})")
    });
    Ok(format!("&[{}]", rows.collect::<Vec<_>>().join(", ")))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            files.push(path);
        }
    }
    Ok(())
}
