"""What the relay keeps in Odoo: two manual models, their fields and indices.

``x_edge_event`` is the claims table: one row per event that was ever applied, unique by its key.
``x_edge_effect`` says what each event did to which exact place. Both are filled by SQL inside the
server action; users may read the claims.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Prefix of the external ids of everything the installation makes.
MODULE = "warehouse_edge"
#: ``x_key`` of the claim row by which the relay finds the action.
ACTION_KEY = "install|action"
#: Config parameters the product sets in Odoo; removed with it.
PARAMETERS = ("warehouse_edge.horizon",)


@dataclass(frozen=True, slots=True)
class Field:
    """A manual field; ``relation`` for a many2one (emptied when its record goes)."""

    name: str
    kind: str
    label: str
    relation: str = ""
    required: bool = False

    def values(self) -> dict[str, object]:
        """The values of its ``ir.model.fields``."""
        values: dict[str, object] = {
            "name": self.name,
            "ttype": self.kind,
            "field_description": self.label,
            "required": self.required,
        }
        if self.relation:
            values |= {"relation": self.relation, "on_delete": "set null"}
        return values


@dataclass(frozen=True, slots=True)
class Table:
    """A manual model; ``indices`` are named by what follows the table's name."""

    model: str
    label: str
    order: str
    fields: tuple[Field, ...]
    indices: tuple[tuple[str, str], ...]

    def index_statements(self) -> list[str]:
        """SQL that makes the indices; ``{u}`` in a name stands for a unique one."""
        return [
            f"CREATE {'UNIQUE ' if name.startswith('unique') else ''}INDEX IF NOT EXISTS "
            f"{self.model}_{name} ON {self.model} {columns}"
            for name, columns in self.indices
        ]


CLAIMS = Table(
    model="x_edge_event",
    label="Warehouse Edge event",
    order="id desc",
    fields=(
        Field("x_key", "char", "Key", required=True),
        Field("x_digest", "char", "Content digest"),
        Field("x_kind", "char", "Kind"),
        Field("x_device", "char", "Device"),
        Field("x_site", "char", "Site"),
        Field("x_document", "char", "Document"),
        Field("x_occurred", "datetime", "Happened"),
        Field("x_recorded", "datetime", "Stored at the site"),
        Field("x_applied", "datetime", "Applied"),
        Field("x_company_id", "many2one", "Company", "res.company"),
        Field("x_picking_id", "many2one", "Transfer", "stock.picking"),
        Field("x_record_model", "char", "Model of the effect"),
        Field("x_record_id", "integer", "Record of the effect"),
        Field("x_record_name", "char", "Effect"),
        Field("x_notes", "text", "Notes"),
        Field("x_reversed_by", "char", "Taken back by"),
    ),
    indices=(
        ("unique_key", "(x_key)"),
        ("picking", "(x_picking_id) WHERE x_picking_id IS NOT NULL"),
        ("applied", "(x_applied)"),
    ),
)


def _package_model(odoo_major: int) -> str:
    return "stock.package" if odoo_major >= 19 else "stock.quant.package"


def effects_table(odoo_major: int = 19) -> Table:
    """The effects; what the model of packages is called depends on Odoo's version."""
    package = _package_model(odoo_major)
    return Table(
        model="x_edge_effect",
        label="Warehouse Edge effect",
        order="id desc",
        fields=(
            Field("x_key", "char", "Key of the event", required=True),
            Field("x_device", "char", "Device"),
            Field("x_kind", "char", "Kind"),
            Field("x_picking_id", "many2one", "Transfer", "stock.picking"),
            Field("x_move_id", "many2one", "Move", "stock.move"),
            Field("x_move_line_id", "many2one", "Move line", "stock.move.line"),
            Field("x_product_id", "many2one", "Product", "product.product"),
            Field("x_from_id", "many2one", "From", "stock.location"),
            Field("x_to_id", "many2one", "To", "stock.location"),
            Field("x_lot_id", "many2one", "Lot", "stock.lot"),
            Field("x_package_id", "many2one", "Taken from package", package),
            Field("x_result_package_id", "many2one", "Packed into", package),
            Field("x_qty", "float", "Quantity"),
            Field("x_time", "datetime", "Time"),
            Field("x_state", "char", "State"),
            Field("x_counted", "float", "Counted"),
        ),
        # A partial index on each reference keeps Odoo's own deletions from reading the whole table.
        indices=(
            ("key", "(x_key)"),
            ("product_from", "(x_product_id, x_from_id)"),
            ("product_to", "(x_product_id, x_to_id)"),
            ("picking", "(x_picking_id) WHERE x_picking_id IS NOT NULL"),
            ("move", "(x_move_id) WHERE x_move_id IS NOT NULL"),
            ("move_line", "(x_move_line_id) WHERE x_move_line_id IS NOT NULL"),
            ("from", "(x_from_id) WHERE x_from_id IS NOT NULL"),
            ("to", "(x_to_id) WHERE x_to_id IS NOT NULL"),
            ("lot", "(x_lot_id) WHERE x_lot_id IS NOT NULL"),
            ("package", "(x_package_id) WHERE x_package_id IS NOT NULL"),
            ("result_package", "(x_result_package_id) WHERE x_result_package_id IS NOT NULL"),
        ),
    )


EFFECTS = effects_table()
