"""Sign-in of Airflow's web interface, read by the FAB auth manager.

Local accounts, or Microsoft Entra when its variables are set: `reporting.deploy.sign_in` says which. There is no public role.
"""

from reporting.deploy import sign_in

globals().update(sign_in.settings())
