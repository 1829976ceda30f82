import hashlib
import json

import numpy as np
import pytest

from mewm.errors import InputError

slicer = pytest.importorskip("slicer", reason="the 'scene' extra is not installed; `make setup` installs it")
pytest.importorskip("slicer.util")
from MeWMModuleLib import appearance  # noqa: E402
from MeWMModuleLib.nodes import nodes_of_class  # noqa: E402
from MeWMModuleLib.scene import load_run, remove_run  # noqa: E402


def _rotation(degrees, axis):
    a, b = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = [n for n in range(3) if n != axis]
    matrix = np.eye(3)
    matrix[[i, i, j, j], [i, j, i, j]] = a, -b, b, a
    return matrix


GEOMETRIES = {
    "along LPS": np.eye(3),
    "flipped to RAS": np.diag((-1.0, -1.0, 1.0)),
    "left-handed": np.diag((1.0, 1.0, -1.0)),
    "coronal slices": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "oblique": _rotation(20, 2) @ _rotation(-15, 0),
    "oblique and left-handed": _rotation(35, 1) @ np.diag((1.0, -1.0, 1.0)),
}


def _value_at(node, lps):
    """Voxel value of a volume node at a place given in LPS mm, through Slicer's RAS."""
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    to_ijk = vtkMatrix4x4()
    node.GetRASToIJKMatrix(to_ijk)
    exact = to_ijk.MultiplyPoint((-lps[0], -lps[1], lps[2], 1.0))[:3]
    i, j, k = (round(value) for value in exact)
    assert np.allclose(exact, (i, j, k), atol=1e-3)
    return slicer.util.arrayFromVolume(node)[k, j, i]


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_voxel_keeps_its_place_in_the_patient(scene, tmp_path, phantom_run, name):
    directions = GEOMETRIES[name] @ np.diag((2.0, 2.5, 4.0))
    origin, shape = np.array((31.0, -47.0, 12.5)), (12, 30, 40)
    folder = tmp_path / "run"
    phantom_run.write_run(folder, directions, origin, shape)
    protocol = folder / "protocols" / phantom_run.PROTOCOLS[0][0]
    ijk = (33, 7, 2)
    pre, post, tissue = np.zeros(shape, "int16"), np.zeros(shape, "int16"), np.zeros(shape, "uint8")
    pre[ijk[::-1]], post[ijk[::-1]], tissue[ijk[::-1]] = 111, 777, 4
    for file, array in (
        (folder / "pre_ct.nrrd", pre),
        (protocol / "simulated_ct.nrrd", post),
        (protocol / "tissue.nrrd", tissue),
    ):
        phantom_run.write_nrrd(file, array, directions, origin)

    loaded = load_run(scene, folder)
    place = origin + directions @ ijk
    first = loaded.protocols[0]
    assert _value_at(loaded.pre, place) == 111
    assert _value_at(first.simulated, place) == 777
    assert _value_at(first.difference, place) == 666
    segmentation = first.tissue.GetSegmentation()
    (identifier,) = segmentation.GetSegmentIDs()
    assert segmentation.GetSegment(identifier).GetName() == "Lipiodol"
    label = slicer.vtkMRMLLabelMapVolumeNode()
    scene.AddNode(label)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.ExportAllSegmentsToLabelmapNode(first.tissue, label)
    assert (slicer.util.arrayFromVolume(label) > 0).sum() == 1
    assert _value_at(label, place) > 0


def test_volumes_are_named_windowed_and_marked_synthetic(scene, run_folder, phantom_run):
    loaded = load_run(scene, run_folder)
    assert loaded.pre.GetName() == "phantom pre-treatment CT"
    assert loaded.pre.GetAttribute("MeWM.Synthetic") is None
    for nodes, (_, text, _) in zip(loaded.protocols, phantom_run.PROTOCOLS, strict=True):
        for node in (nodes.simulated, nodes.difference, nodes.tissue):
            assert node.GetName().startswith("SIMULATED")
            assert node.GetAttribute("MeWM.Synthetic") == "1"
            assert node.GetAttribute("MeWM.Protocol") == text
        display = nodes.simulated.GetDisplayNode()
        assert (display.GetWindow(), display.GetLevel()) == appearance.ABDOMEN
        assert not display.GetAutoWindowLevel()
        assert display.GetNumberOfWindowLevelPresets() == 2
        change = nodes.difference.GetDisplayNode()
        assert (change.GetWindow(), change.GetLevel()) == (appearance.DIFFERENCE_WINDOW, 0)
        expected = slicer.util.arrayFromVolume(nodes.simulated).astype(int) - slicer.util.arrayFromVolume(loaded.pre)
        assert expected.any()
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(nodes.difference), expected)
    assert phantom_run.NOTICE in loaded.notice.GetText()


def test_voxels_are_the_files(scene, run_folder):
    sitk = pytest.importorskip("SimpleITK")
    loaded = load_run(scene, run_folder)
    for node, file in (
        (loaded.pre, run_folder / "pre_ct.nrrd"),
        (loaded.protocols[1].simulated, loaded.protocols[1].protocol.simulated_ct),
    ):
        expected = sitk.GetArrayFromImage(sitk.ReadImage(str(file)))
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), expected)


def test_tissues_are_segments_in_their_colours_with_the_liver_hidden(scene, run_folder):
    loaded = load_run(scene, run_folder)
    for nodes in loaded.protocols:
        segmentation = nodes.tissue.GetSegmentation()
        found = {}
        for identifier in segmentation.GetSegmentIDs():
            segment = segmentation.GetSegment(identifier)
            found[segment.GetName()] = segment.GetColor()
            shown = nodes.tissue.GetDisplayNode().GetSegmentVisibility(identifier)
            assert shown == (segment.GetName() != "Liver")
        assert found == {name: pytest.approx(colour) for name, colour in appearance.TISSUES.values()}
    assert loaded.protocols[0].tissue.GetDisplayNode().GetVisibility()
    assert not loaded.protocols[1].tissue.GetDisplayNode().GetVisibility()
    assert loaded.lesion.GetSegmentation().GetNthSegment(0).GetName() == "Target lesion"


def test_the_ranking_is_a_table_with_typed_columns(scene, run_folder):
    table = load_run(scene, run_folder).table.GetTable()
    kinds = {table.GetColumnName(n): table.GetColumn(n).GetDataTypeAsString() for n in range(14)}
    assert (kinds["rank"], kinds["risk"], kinds["protocol"]) == ("int", "double", "string")
    assert [table.GetValueByName(n, "rank").ToInt() for n in range(3)] == [1, 2, 3]
    assert table.GetValueByName(0, "risk").ToDouble() == pytest.approx(-1.2)
    assert np.isnan(table.GetValueByName(2, "risk_sd").ToDouble())
    assert np.isinf(table.GetValueByName(2, "median_weeks").ToDouble())
    assert "350 µm" in table.GetValueByName(0, "protocol").ToString()


def test_a_column_that_is_no_number_is_refused(scene, run_folder):
    file = run_folder / "ranking.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("-1.2,", "low,"), encoding="utf-8")
    with pytest.raises(InputError, match="'low' in the column 'risk'"):
        load_run(scene, run_folder)


def test_everything_of_a_run_lies_in_one_folder_of_the_hierarchy(scene, run_folder):
    from vtkmodules.vtkCommonCore import vtkCollection

    loaded = load_run(scene, run_folder)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    assert hierarchy.GetItemName(loaded.folder_item) == "MeWM phantom 2025-01-02T03:04"
    inside = vtkCollection()
    hierarchy.GetDataNodesInBranch(loaded.folder_item, inside)
    names = {inside.GetItemAsObject(n).GetID() for n in range(inside.GetNumberOfItems())}
    wanted = [loaded.pre, loaded.lesion, loaded.table, loaded.notice]
    for nodes in loaded.protocols:
        wanted += [nodes.simulated, nodes.difference, nodes.tissue]
    assert names == {node.GetID() for node in wanted}


def test_removing_a_run_leaves_the_scene_as_it_was(scene, run_folder):
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    other = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "someone else's CT")
    before = [node.GetID() for node in nodes_of_class(scene)]
    loaded = load_run(scene, run_folder)
    assert remove_run(scene, loaded.run.identifier) == 11
    assert [node.GetID() for node in nodes_of_class(scene)] == before
    assert scene.IsNodePresent(other)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    assert not hierarchy.GetItemByName("MeWM phantom 2025-01-02T03:04")


def test_what_the_user_drew_into_the_folder_of_a_run_outlives_it(scene, run_folder):
    """The Segment Editor puts a segmentation under the parent of the volume it was drawn on, here our folder."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    loaded = load_run(scene, run_folder)
    drawn = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn by the user")
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(loaded.pre))
    item = hierarchy.GetItemByDataNode(drawn) or hierarchy.CreateItem(folder, drawn)
    hierarchy.SetItemParent(item, folder)
    segment = hierarchy.CreateFolderItem(item, "stands for a segment's item")
    remove_run(scene, loaded.run.identifier)
    assert scene.IsNodePresent(drawn) and hierarchy.GetItemByDataNode(drawn) == item
    assert hierarchy.GetItemName(segment) and hierarchy.GetItemParent(segment) == item
    assert hierarchy.GetItemParent(item) == hierarchy.GetSceneItemID()


def test_loading_a_run_again_replaces_it(scene, run_folder):
    load_run(scene, run_folder)
    count = scene.GetNumberOfNodes()
    again = load_run(scene, run_folder)
    assert scene.GetNumberOfNodes() == count
    assert scene.IsNodePresent(again.pre)
    assert again.protocols[0].difference.GetDisplayNode().GetColorNode() is not None


@pytest.mark.parametrize("fault", ["other grid", "unknown label", "damaged"])
def test_a_run_that_fails_half_way_leaves_nothing(scene, run_folder, phantom_run, fault):
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    last = run_folder / "protocols" / phantom_run.PROTOCOLS[1][0]
    shape, directions = (30, 110, 150), np.diag((2.0, 2.0, 4.0))
    if fault == "other grid":
        phantom_run.write_nrrd(last / "simulated_ct.nrrd", np.zeros(shape, "int16"), directions, (0, 0, 0))
    elif fault == "unknown label":
        labels = np.full(shape, 9, "uint8")
        phantom_run.write_nrrd(last / "tissue.nrrd", labels, directions, (-150, -110, -60))
    else:
        (last / "tissue.nrrd").write_bytes(b"NRRD0004\n")
    before = [node.GetID() for node in nodes_of_class(scene)]
    with pytest.raises(InputError):
        load_run(scene, run_folder)
    assert [node.GetID() for node in nodes_of_class(scene)] == before
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    assert not hierarchy.GetItemByName("MeWM phantom 2025-01-02T03:04")


def test_the_files_of_the_run_are_only_read(scene, run_folder):
    def hashes():
        return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in run_folder.rglob("*") if p.is_file()}

    before = hashes()
    loaded = load_run(scene, run_folder)
    for node in (loaded.pre, loaded.lesion, loaded.protocols[0].simulated):
        assert node.GetStorageNode() is None
    assert hashes() == before


def test_a_run_with_one_protocol_loads(scene, run_folder):
    file = run_folder / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    manifest["protocols"] = manifest["protocols"][1:]
    file.write_text(json.dumps(manifest), encoding="utf-8")
    loaded = load_run(scene, run_folder)
    assert [nodes.protocol.rank for nodes in loaded.protocols] == [2]
    assert loaded.protocols[0].tissue.GetDisplayNode().GetVisibility()
