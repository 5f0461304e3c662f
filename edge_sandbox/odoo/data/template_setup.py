# Run in Odoo's own shell on a new template database (Odoo 17, 18 and 19): switches on what a
# warehouse uses, makes the relay's user, and writes keys and passwords to $ODOO_SANDBOX_SECRETS.
# ruff: noqa: F821 -- the shell gives ``env``
# mypy: ignore-errors
import datetime
import inspect
import json
import os
import secrets

settings = env["res.config.settings"]
wanted = (
    "group_stock_production_lot",
    "group_stock_tracking_lot",
    "group_stock_multi_locations",
    "group_uom",
    "group_stock_packaging",
)
settings.create({name: True for name in wanted if name in settings._fields}).execute()

users = env["res.users"].with_context(no_reset_password=True)
groups = "group_ids" if "group_ids" in users._fields else "groups_id"
passwords = {"admin": secrets.token_urlsafe(12), "edge": secrets.token_urlsafe(12)}
edge = users.create(
    {
        "name": "Warehouse edge",
        "login": "edge",
        "email": "edge@warehouse.example",
        "password": passwords["edge"],
        groups: [
            (6, 0, [env.ref("base.group_user").id, env.ref("stock.group_stock_user").id]),
        ],
    }
)
admin = env.ref("base.user_admin")
managers = (
    "base.group_system",
    "stock.group_stock_manager",
    "purchase.group_purchase_manager",
    "sales_team.group_sale_manager",
    "account.group_account_manager",
)
found = [env.ref(name, raise_if_not_found=False) for name in managers]
admin.write({"password": passwords["admin"], groups: [(4, group.id) for group in found if group]})

keys = {}
for user in (admin, edge):
    generate = env["res.users.apikeys"].with_user(user).sudo()._generate
    arguments = [None, "sandbox"]
    if "expiration_date" in inspect.signature(generate).parameters:
        # What an ordinary user may have at most is 90 days; each clone renews it.
        arguments.append(datetime.datetime.now() + datetime.timedelta(days=80))
    keys[user.login] = generate(*arguments)

# Files go into the database, so that a copy of the database is a whole copy.
env["ir.config_parameter"].set_param("ir_attachment.location", "db")
env["ir.attachment"].force_storage()
env.cr.commit()

with open(os.environ["ODOO_SANDBOX_SECRETS"], "w") as file:
    json.dump({"keys": keys, "passwords": passwords}, file)
