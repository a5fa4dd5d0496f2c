use super::*;

#[test]
fn a_module_for_each_file_and_nothing_else() {
    let folder = home().join("src");
    let text = module("found", &folder);
    let files = ["lib", "tests"].map(|name| {
        format!("#[path = {:?}]\nmod {name};\n", folder.join(name).with_extension("rs"))
    });
    assert_eq!(text, format!("mod found {{\n{}}}\n", files.concat()));
}
